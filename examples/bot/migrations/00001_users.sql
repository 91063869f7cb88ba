-- +goose Up
CREATE TABLE users(
	id    INTEGER PRIMARY KEY,
	name  TEXT NOT NULL,
	first INTEGER NOT NULL DEFAULT (unixepoch()),
	last  INTEGER NOT NULL DEFAULT (unixepoch())
);

-- +goose Down
DROP TABLE users;
