//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// A workshop is where everything lies: the data, the program, what the runs
// leave.
type workshop struct {
	dir      string
	holdfast string
	data     string // in words
}

// smallSize is the size of a small bot's database.
const smallSize = 10 << 20

// The Chroma directory comes to some 100 MB.
const (
	chromaRecords   = 9_000
	chromaDimension = 384
	chromaBatch     = 200
)

// prepare makes the data that is not there yet and the backups that restores
// start from. Data is made by processes of their own: the memory that the
// system reports for a process begins with that of the process that started it,
// so this one must stay small.
func (w *workshop) prepare(ctx context.Context, o options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, name := range []string{"large.db", "small.db", "chroma"} {
		if _, err := os.Stat(filepath.Join(w.dir, name)); err == nil {
			continue
		}
		fmt.Fprintf(os.Stderr, "making %s\n", name)
		cmd := exec.CommandContext(ctx, self, "-make", name, "-dir", w.dir, "-size", fmt.Sprint(o.size>>20))
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
	}
	large, err := os.Stat(filepath.Join(w.dir, "large.db"))
	if err != nil {
		return err
	}
	chroma, err := diskUse(filepath.Join(w.dir, "chroma"))
	if err != nil {
		return err
	}
	w.data = fmt.Sprintf("a SQLite database of %d MiB in WAL mode, one of %d MiB, a directory of %d MiB with %d records of dimension %d written by a real Chroma server",
		large.Size()>>20, smallSize>>20, chroma>>20, chromaRecords, chromaDimension)
	return w.prepareBackups(ctx)
}

// prepareBackups makes what the restores and verifications read.
func (w *workshop) prepareBackups(ctx context.Context) error {
	const script = `
cd "$D"
rm -rf repo-large repo-small repo-chroma large.zst small.zst chroma.tar.zst
"$H" backup --quiet --repo repo-large --name b --sqlite large.db
"$H" backup --quiet --repo repo-small --name b --sqlite small.db
"$H" backup --quiet --repo repo-chroma --name b --chroma chroma
zstd -q -3 -T0 large.db -o large.zst
zstd -q -3 -T0 small.db -o small.zst
tar -cf - chroma | zstd -q -3 -T0 -o chroma.tar.zst
`
	cmd := exec.CommandContext(ctx, "sh", "-ec", script)
	cmd.Env = w.environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the backups to restore from: %w\n%s", err, out)
	}
	return nil
}

// makeData makes one piece of data, complete or not at all.
func makeData(ctx context.Context, o options) error {
	final := filepath.Join(o.dir, o.make)
	tmp := final + ".making"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	var err error
	switch o.make {
	case "large.db":
		err = makeDatabase(ctx, tmp, o.size)
	case "small.db":
		err = makeDatabase(ctx, tmp, smallSize)
	case "chroma":
		err = makeChroma(ctx, tmp)
	default:
		err = fmt.Errorf("%q is no data of this program", o.make)
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp, final)
}

// makeDatabase makes a database like that of a bot: people, and messages of
// which half is text and half is as good as random (tokens, media, vectors).
// The same size always gives the same rows.
func makeDatabase(ctx context.Context, path string, size int64) (err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(off)&_pragma=synchronous(off)&_pragma=page_size(4096)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `
		CREATE TABLE messages (id INTEGER PRIMARY KEY, chat INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL, payload BLOB);
		CREATE INDEX messages_by_chat ON messages (chat, at)`); err != nil {
		return err
	}
	rnd := rand.NewChaCha8([32]byte{'b', 'e', 'n', 'c', 'h'})
	const rowBytes, rowsAtOnce = 2000, 20_000
	for id, rows := int64(0), size/(rowBytes+30); id < rows; {
		if id, err = insertRows(ctx, db, rnd, id, min(id+rowsAtOnce, rows), rowBytes/2); err != nil {
			return err
		}
	}
	// A database in use is in WAL mode; its log is empty at first.
	_, err = db.ExecContext(ctx, "PRAGMA journal_mode = wal")
	return err
}

// insertRows adds the messages from id up to end in one transaction.
func insertRows(ctx context.Context, db *sql.DB, rnd *rand.ChaCha8, id, end int64, half int) (int64, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return id, err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	insert, err := tx.PrepareContext(ctx, "INSERT INTO messages VALUES (?, ?, ?, ?, ?)")
	if err != nil {
		return id, err
	}
	payload := make([]byte, half)
	for ; id < end; id++ {
		rnd.Read(payload)
		if _, err := insert.ExecContext(ctx, id, rnd.Uint64()%500, 1_700_000_000+id, text(rnd, half), payload); err != nil {
			return id, err
		}
	}
	return id, tx.Commit()
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

// makeChroma lets a real server write a directory.
func makeChroma(ctx context.Context, path string) (err error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	server, err := chromatest.Launch(ctx, chromatest.New, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	client := server.Client()
	defer client.Close()
	collection, err := client.Create(ctx, chromatest.CollectionSpec{Name: "documents"})
	if err != nil {
		return err
	}
	rnd := rand.NewChaCha8([32]byte{'c', 'h', 'r', 'o', 'm', 'a'})
	for done := 0; done < chromaRecords; done += chromaBatch {
		records := make([]chromatest.Record, chromaBatch)
		for i := range records {
			records[i] = document(rnd, done+i)
		}
		if err := client.Add(ctx, collection.ID, records); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(path, "chroma.sqlite3")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the server left no chroma.sqlite3 in %s", path)
	}
	return nil
}

// document makes one record with 1 KB of text and a random direction.
func document(rnd *rand.ChaCha8, i int) chromatest.Record {
	body := text(rnd, 1000)
	vector := make([]float32, chromaDimension)
	for d := range vector {
		vector[d] = float32(int64(rnd.Uint64())) / (1 << 63)
	}
	return chromatest.Record{
		ID: fmt.Sprintf("doc-%06d", i), Document: &body, Embedding: vector,
		Metadata: map[string]any{"page": i % 40, "file": fmt.Sprintf("report-%d.pdf", i/40)},
	}
}
