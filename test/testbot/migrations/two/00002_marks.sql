-- +goose Up
ALTER TABLE entries ADD COLUMN mark TEXT;
UPDATE entries SET mark = 'before';
