//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// What is looked for: one row has the rare text, and every invoiceEvery-th the frequent one.
const (
	rareText     = "tangerine"
	frequentText = "invoice"
	invoiceEvery = 100
)

// lookText is how long the text of a message is, and lookRow what a message takes with its
// indexes.
const (
	lookText = 400
	lookRow  = 490
	people   = 100_000
)

// messagesOf is how many messages fill a database of so many bytes, and recordsOf how many
// records a Chroma directory.
func messagesOf(size int64) int64 { return max(size-people*90, people*lookRow) / lookRow }

func recordsOf(size int64) int { return max(int(size/chromaRecord/chromaBatch), 1) * chromaBatch }

// lookSchema is that of a bot which keeps what people write to it.
const lookSchema = `
	CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, language TEXT NOT NULL, joined INTEGER NOT NULL, balance REAL NOT NULL);
	CREATE TABLE messages (id INTEGER PRIMARY KEY, chat INTEGER NOT NULL, user_id INTEGER NOT NULL REFERENCES users, at INTEGER NOT NULL, body TEXT NOT NULL);
	CREATE INDEX messages_by_chat ON messages (chat, at);
	CREATE INDEX messages_by_user ON messages (user_id, at)`

// rareAt is which of n texts has the rare one.
func rareAt[N int | int64](n N) N { return n/2 + 17 }

// special puts what is looked for into the text of number i of n.
func special(body string, i, n int64) string {
	switch {
	case i == rareAt(n):
		return rareText + " " + body
	case i%invoiceEvery == 0:
		return fmt.Sprintf("%s %d: %s", frequentText, i, body)
	}
	return body
}

// makeMessages makes the database of such a bot. The same size always gives the same rows.
func makeMessages(ctx context.Context, path string, size int64) (err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(off)&_pragma=synchronous(off)&_pragma=page_size(4096)&_pragma=cache_size(-262144)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, lookSchema); err != nil {
		return err
	}
	rnd := rand.NewChaCha8([32]byte{'l', 'o', 'o', 'k', 's'})
	if err := transact(ctx, db, func(tx *sql.Tx) error {
		for id := range int64(people) {
			if _, err := tx.ExecContext(ctx, "INSERT INTO users VALUES (?, ?, ?, ?, ?)", id+1, fmt.Sprintf("person-%06d", id+1), []string{"en", "th", "fa"}[id%3], when(id), float64(id)/4); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	const rowsAtOnce = 50_000
	for id, n := int64(1), messagesOf(size); id <= n; {
		end := min(id+rowsAtOnce, n+1)
		if err := transact(ctx, db, func(tx *sql.Tx) error { return insertMessages(ctx, tx, rnd, id, end, n) }); err != nil {
			return err
		}
		id = end
	}
	_, err = db.ExecContext(ctx, "PRAGMA journal_mode = wal")
	return err
}

// insertMessages adds the messages from id up to end.
func insertMessages(ctx context.Context, tx *sql.Tx, rnd *rand.ChaCha8, id, end, n int64) error {
	insert, err := tx.PrepareContext(ctx, "INSERT INTO messages VALUES (?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for ; id < end; id++ {
		if _, err := insert.ExecContext(ctx, id, rnd.Uint64()%500, rnd.Uint64()%people+1, when(id), special(text(rnd, lookText), id, n)); err != nil {
			return err
		}
	}
	return nil
}

// changeMessages is a moment in the life of the bot: so many messages come, as many are
// edited, a tenth are deleted, and the people who wrote them have another balance.
func changeMessages(ctx context.Context, path string, rows, round int64) (err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(normal)&_txlock=immediate&_pragma=busy_timeout(60000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	rnd := rand.NewChaCha8([32]byte{'m', 'o', 'v', 'e', byte(round)})
	var last int64
	if err := db.QueryRowContext(ctx, "SELECT max(id) FROM messages").Scan(&last); err != nil {
		return err
	}
	return transact(ctx, db, func(tx *sql.Tx) error {
		for i := range rows {
			at := int64(rnd.Uint64()%uint64(last/2)) + 1 // before the rare one
			if _, err := tx.ExecContext(ctx, "UPDATE messages SET body = ? WHERE id = ?", text(rnd, lookText), at); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "UPDATE users SET balance = balance + 1 WHERE id = (SELECT user_id FROM messages WHERE id = ?)", at); err != nil {
				return err
			}
			if i%10 > 0 {
				continue
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM messages WHERE id = ?", int64(rnd.Uint64()%uint64(last/2))+1); err != nil {
				return err
			}
		}
		return insertMessages(ctx, tx, rnd, last+1, last+1+rows, 0)
	})
}

// makePassages lets a real server write a directory of about size bytes.
func makePassages(ctx context.Context, path string, size int64) error {
	n := recordsOf(size)
	return serve(ctx, path, func(client *chromatest.Client) error {
		collection, err := client.Create(ctx, chromatest.CollectionSpec{Name: chromaName, SyncThreshold: chromaBatch})
		if err != nil {
			return err
		}
		return addPassages(ctx, client, collection.ID, 0, n, n)
	})
}

// changePassages lets the server take some more records.
func changePassages(ctx context.Context, path string, round int) error {
	return serve(ctx, path, func(client *chromatest.Client) error {
		collection, err := client.Collection(ctx, chromaName)
		if err != nil {
			return err
		}
		return addPassages(ctx, client, collection.ID, round<<24, chromaUpload, 0)
	})
}

// addPassages adds records numbered from first. n is how many there are in all, of the
// first ones.
func addPassages(ctx context.Context, client *chromatest.Client, collection string, first, count, n int) error {
	rnd := rand.NewChaCha8([32]byte{'p', 'a', 's', 's', byte(first >> 24)})
	for done := 0; done < count; done += chromaBatch {
		records := make([]chromatest.Record, min(chromaBatch, count-done))
		for i := range records {
			records[i] = document(rnd, first+done+i)
			body := special(*records[i].Document, int64(first+done+i), int64(n))
			records[i].Document = &body
		}
		if err := client.Add(ctx, collection, records); err != nil {
			return err
		}
	}
	return nil
}
