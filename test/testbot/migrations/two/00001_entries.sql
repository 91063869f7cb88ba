-- +goose Up
CREATE TABLE entries (
    run    INTEGER NOT NULL,
    writer INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    text   TEXT NOT NULL,
    PRIMARY KEY (run, writer, n)
) WITHOUT ROWID;
