//go:build linux

package main

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	_ "modernc.org/sqlite" // driver "sqlite"
)

// rowBytes is the text and the payload of a message, half and half.
const rowBytes = 1900

// The rows that a change updates, and as many that it inserts.
const (
	largeChange = 2000
	smallChange = 20
)

// schema is that of a bot: people and messages, found by chat, by author and by
// token. The tokens are random and the authors many, so every change of a row
// touches pages all over the file.
const schema = `
	CREATE TABLE messages (id INTEGER PRIMARY KEY, chat INTEGER NOT NULL, author TEXT NOT NULL, at INTEGER NOT NULL, token TEXT NOT NULL, body TEXT NOT NULL, payload BLOB);
	CREATE INDEX messages_by_chat ON messages (chat, at);
	CREATE INDEX messages_by_author ON messages (author, at);
	CREATE UNIQUE INDEX messages_by_token ON messages (token)`

// makeDatabase makes a database like that of a bot, in which half of the bytes
// are text and half as good as random (tokens, media, vectors). The same size
// always gives the same rows.
func makeDatabase(ctx context.Context, path string, size int64) (err error) {
	// The cache holds the indexes, which grow in no order.
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(off)&_pragma=synchronous(off)&_pragma=page_size(4096)&_pragma=cache_size(-262144)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return err
	}
	rnd := rand.NewChaCha8([32]byte{'b', 'e', 'n', 'c', 'h'})
	const perRow, rowsAtOnce = 2210, 20_000 // perRow is what a row takes with its indexes
	for id, rows := int64(0), size/perRow; id < rows; {
		end := min(id+rowsAtOnce, rows)
		if err := transact(ctx, db, func(tx *sql.Tx) error { return insertRows(ctx, tx, rnd, id, end) }); err != nil {
			return err
		}
		id = end
	}
	// A database in use is in WAL mode; its log is empty at first.
	_, err = db.ExecContext(ctx, "PRAGMA journal_mode = wal")
	return err
}

// changeDatabase updates n rows at random and inserts n, in small transactions
// as a bot does. The same round always changes the same rows.
func changeDatabase(ctx context.Context, path string, n, round int) (err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(normal)&_txlock=immediate&_pragma=busy_timeout(60000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	rnd := rand.NewChaCha8([32]byte{'c', 'h', 'a', 'n', 'g', 'e', byte(round)})
	var rows int64
	if err := db.QueryRowContext(ctx, "SELECT max(id) + 1 FROM messages").Scan(&rows); err != nil {
		return err
	}
	const atOnce = 100
	for done := 0; done < n; done += atOnce {
		some := min(atOnce, n-done)
		id := rows + int64(done)
		if err := transact(ctx, db, func(tx *sql.Tx) error {
			for range some {
				if _, err := tx.ExecContext(ctx, "UPDATE messages SET at = ?, token = ?, body = ? WHERE id = ?",
					when(id), token(rnd), text(rnd, rowBytes/2), int64(rnd.Uint64()%uint64(rows))); err != nil {
					return err
				}
			}
			return insertRows(ctx, tx, rnd, id, id+int64(some))
		}); err != nil {
			return err
		}
	}
	return nil
}

// transact runs do in a transaction.
func transact(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// insertRows adds the messages from id up to end.
func insertRows(ctx context.Context, tx *sql.Tx, rnd *rand.ChaCha8, id, end int64) error {
	insert, err := tx.PrepareContext(ctx, "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	payload := make([]byte, rowBytes/2)
	for ; id < end; id++ {
		rnd.Read(payload)
		author := fmt.Sprintf("person-%06d", rnd.Uint64()%50_000)
		if _, err := insert.ExecContext(ctx, id, rnd.Uint64()%500, author, when(id), token(rnd), text(rnd, rowBytes/2), payload); err != nil {
			return err
		}
	}
	return nil
}

// when is the time of the message with that id.
func when(id int64) int64 { return 1_700_000_000 + id }

// token makes 32 hexadecimal digits.
func token(rnd *rand.ChaCha8) string {
	var b [16]byte
	rnd.Read(b[:])
	return hex.EncodeToString(b[:])
}

// words are what messages are made of.
var words = strings.Fields(`the a of to and in that it is was for on are with as be at by this have from or had not but what
	all were when we there can your which their time will each about how up out them then she many some so these would other
	into has more her two like him see could no make than first been its who now people my made over did down only way find
	use may water long little very after called just where most know backup restore message channel order payment thanks`)

// text makes n bytes of text.
func text(rnd *rand.ChaCha8, n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[rnd.Uint64()%uint64(len(words))])
		b.WriteByte(' ')
	}
	return b.String()[:n]
}
