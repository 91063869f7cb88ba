-- +goose Up
CREATE TABLE messages( -- how many somebody wrote in a group
	chat_id INTEGER NOT NULL,
	user_id INTEGER NOT NULL REFERENCES users(id),
	sent    INTEGER NOT NULL,
	PRIMARY KEY(chat_id, user_id)
) WITHOUT ROWID;

CREATE TABLE tracking( -- what was written lately, each message once
	chat_id    INTEGER NOT NULL,
	message_id INTEGER NOT NULL,
	user_id    INTEGER NOT NULL REFERENCES users(id),
	seen       INTEGER NOT NULL DEFAULT (unixepoch()),
	PRIMARY KEY(chat_id, message_id)
) WITHOUT ROWID;
CREATE INDEX tracking_seen ON tracking(seen);
CREATE INDEX tracking_user ON tracking(user_id, seen);

CREATE TABLE blocks( -- who may not write, and until when
	chat_id INTEGER NOT NULL,
	user_id INTEGER NOT NULL REFERENCES users(id),
	until   INTEGER NOT NULL,
	PRIMARY KEY(chat_id, user_id)
) WITHOUT ROWID;
CREATE INDEX blocks_until ON blocks(until);

-- +goose Down
DROP TABLE blocks;
DROP TABLE tracking;
DROP TABLE messages;
