package demo

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"

	"github.com/holdfast-backup/holdfast/internal/demo/fixture"
)

// messages is how many rows the bot's main table gets.
const messages = 500

// makeData makes what a bot with a RAG assistant would have on its disk: a
// SQLite database in WAL mode and a Chroma directory.
func makeData(ctx context.Context) error {
	if err := fixture.Unpack(chromaDir); err != nil {
		return err
	}
	return makeBot(ctx)
}

func makeBot(ctx context.Context) (err error) {
	// As package source/sqlite asks, before the first open: it reads the file
	// itself in this process, and POSIX locks would be lost by that.
	// Where the system has none, that package reads through SQLite instead.
	_, _ = sqlite.OFDLocking(true)
	db, err := sql.Open("sqlite", botFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	statements := []string{
		`PRAGMA journal_mode = WAL`,
		`CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, language TEXT NOT NULL, blocked_until TEXT)`,
		`INSERT INTO users (name, language) VALUES ('Somchai', 'th'), ('Parisa', 'fa'), ('Robin', 'en')`,
		`CREATE TABLE messages (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users, sent_at TEXT NOT NULL, text TEXT NOT NULL)`,
	}
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if rollback := tx.Rollback(); !errors.Is(rollback, sql.ErrTxDone) {
			err = errors.Join(err, rollback)
		}
	}()
	texts := []string{"how do I restore a backup?", "จะกู้คืนข้อมูลได้อย่างไร", "چطور نسخهٔ پشتیبان را بازگردانم؟"}
	sent := time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)
	for i := range messages {
		if _, err := tx.ExecContext(ctx, `INSERT INTO messages (user_id, sent_at, text) VALUES (?, ?, ?)`,
			i%3+1, sent.Add(time.Duration(i)*time.Minute).Format(time.RFC3339), fmt.Sprintf("%s (%d)", texts[i%3], i)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// damage does to the data what a crash, a full disk and a careless copy do:
// a page of the database is overwritten, an index file is cut off, one is
// gone.
func damage() error {
	f, err := os.OpenFile(botFile, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for page := int64(2); page < 5; page++ {
		if _, err := f.WriteAt(make([]byte, 4096), page*4096); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	pickles, err := filepath.Glob(filepath.Join(chromaDir, "*", "index_metadata.pickle"))
	if err != nil || len(pickles) < 2 {
		return errors.Join(err, fmt.Errorf("%s: %d index folders, expected 2", chromaDir, len(pickles)))
	}
	return errors.Join(os.Truncate(pickles[0], 100), os.Remove(pickles[1]))
}

// sums gives the SHA-256 of every file of the data, by path. SQLite's -wal and
// -shm are no data of their own.
func sums() (map[string]string, error) {
	out := map[string]string{}
	add := func(name string) error {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		out[filepath.ToSlash(name)] = fmt.Sprintf("%x", h.Sum(nil))
		return nil
	}
	err := filepath.WalkDir(chromaDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return add(name)
	})
	return out, errors.Join(err, add(botFile))
}

// flipBit changes one bit in the middle of a file.
func flipBit(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, st.Size()/2); err != nil {
		return errors.Join(err, f.Close())
	}
	b[0] ^= 0x10
	_, err = f.WriteAt(b, st.Size()/2)
	return errors.Join(err, f.Close())
}
