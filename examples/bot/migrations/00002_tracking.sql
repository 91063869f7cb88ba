-- +goose Up
CREATE TABLE tracking(
	user_id INTEGER NOT NULL REFERENCES users(id),
	seen    INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE INDEX tracking_seen ON tracking(seen);

-- +goose Down
DROP TABLE tracking;
