-- +goose Up
CREATE TABLE users(
	id            INTEGER PRIMARY KEY,
	name          TEXT NOT NULL,
	blocked_until INTEGER
);

-- +goose Down
DROP TABLE users;
