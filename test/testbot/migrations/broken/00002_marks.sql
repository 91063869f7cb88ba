-- +goose NO TRANSACTION
-- +goose Up
DELETE FROM entries WHERE n % 2 = 0;
ALTER TABLE entries ADD COLUMN mark TEXT;
ALTER TABLE nowhere ADD COLUMN mark TEXT;
