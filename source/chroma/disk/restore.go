package disk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-backup/holdfast"
)

// RestoreMemory makes the records of one collection in a stopped directory
// exactly those of r, an object in the shape that ExportMemory writes. The
// collection is the one info names; if it does not exist it is created as info
// describes it. Other collections keep every row and every byte of their index
// folders.
//
// The server must be stopped. All changes to the database are one transaction,
// which also gives the collection a new, empty vector index; the server builds
// it from its log when the collection is first used. The folder of the old
// index, which nothing refers to any more, is removed after the commit. So a
// crash leaves the old state or the new one, and perhaps a folder without an
// owner or a file named .holdfast-memory-*.
//
// R is spooled to a temporary database in dir before anything is changed:
// memory does not grow with its size.
func RestoreMemory(ctx context.Context, dir string, info holdfast.MemoryCollection, r io.Reader) error {
	err := restoreMemory(ctx, dir, info, r)
	if err != nil {
		return &holdfast.Error{Op: "restore memory", Object: info.Name, Err: explainBusy(asDamage(err))}
	}
	return nil
}

func restoreMemory(ctx context.Context, dir string, info holdfast.MemoryCollection, r io.Reader) (err error) {
	if info.Name == "" {
		return holdfast.Kindf(holdfast.ErrUsage, "the collection has no name")
	}
	path := filepath.Join(dir, DatabaseFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return &holdfast.Error{Op: "open Chroma directory", Object: dir, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no %s", DatabaseFile), Hint: "restore the whole Chroma source first"}
	} else if err != nil {
		return err
	}
	w, err := openWriter(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if !w.layout.chroma() || w.layout.fulltext() == "" {
		return &holdfast.Error{Op: "open Chroma directory", Object: dir, Err: holdfast.Kindf(holdfast.ErrNotFound, "%s lacks tables of Chroma", DatabaseFile), Hint: "restore the whole Chroma source first"}
	}
	spool, err := newSpool(ctx, w.conn, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spool.close(ctx)) }()
	if err := spool.read(ctx, r); err != nil {
		return err
	}
	if err := spool.check(ctx, &info); err != nil {
		return err
	}
	var old string
	err = w.transaction(ctx, func() error {
		old, err = w.replace(ctx, info, spool)
		return err
	})
	if err != nil || !isUUID(old) {
		return err
	}
	return os.RemoveAll(filepath.Join(dir, old))
}

// A writer changes a stopped directory through one connection.
type writer struct {
	db     *sql.DB
	conn   *sql.Conn
	layout layout
	schema holdfast.ChromaSchema
}

func openWriter(ctx context.Context, path string) (_ *writer, err error) {
	w := &writer{}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	name := filepath.ToSlash(abs)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // a drive letter
	}
	u := url.URL{Path: name}
	w.db, err = sql.Open("sqlite", "file://"+u.EscapedPath()+"?mode=rw&_pragma=busy_timeout(1000)&_pragma=foreign_keys(0)&_pragma=cache_size(-16384)")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return nil, err
	}
	if w.layout, err = readLayout(ctx, w.conn); err != nil {
		return nil, err
	}
	if w.layout.table("migrations") {
		w.schema, err = readSchema(ctx, w.conn)
	}
	return w, err
}

func (w *writer) close() error {
	var err error
	if w.conn != nil {
		err = w.conn.Close()
	}
	return errors.Join(err, w.db.Close())
}

// exec runs one statement.
func (w *writer) exec(ctx context.Context, query string, args ...any) error {
	_, err := w.conn.ExecContext(ctx, query, args...)
	return err
}

// transaction runs fn between BEGIN IMMEDIATE and COMMIT.
func (w *writer) transaction(ctx context.Context, fn func() error) error {
	if err := w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = w.exec(ctx, "COMMIT")
	}
	if err != nil {
		// Also when ctx has ended, or the rollback would not run.
		err = errors.Join(err, w.exec(context.WithoutCancel(ctx), "ROLLBACK"))
	}
	return err
}

// explainBusy says what to do when somebody uses the database.
func explainBusy(err error) error {
	if e, ok := errors.AsType[*driver.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_BUSY {
		return &holdfast.Error{
			Op: "write", Object: DatabaseFile,
			Err:  holdfast.Kindf(holdfast.ErrLocked, "another process is writing to it: %w", err),
			Hint: "stop the Chroma server, then try again",
		}
	}
	return err
}

// blobPositions tells whether the directory keeps log positions as blobs, as
// Chroma did before 1.0.
func (w *writer) blobPositions() bool { return w.schema.MetaDB < 5 }

// newestPosition is the highest log position that anything in the directory
// mentions. New entries must come after it: the log numbers its entries by
// the highest one it still has, and a number that is used twice makes records
// invisible.
func (w *writer) newestPosition(ctx context.Context) (int64, error) {
	var newest sql.NullInt64
	if err := w.conn.QueryRowContext(ctx, `SELECT max(seq_id) FROM embeddings_queue`).Scan(&newest); err != nil {
		return 0, err
	}
	rows, err := w.conn.QueryContext(ctx, `SELECT seq_id FROM max_seq_id WHERE seq_id IS NOT NULL`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var v any
		if err := rows.Scan(&v); err != nil {
			return 0, err
		}
		n, err := parsePosition(v)
		if err != nil {
			return 0, fmt.Errorf("max_seq_id: %w", err)
		}
		newest.Int64 = max(newest.Int64, n)
	}
	return newest.Int64, rows.Err()
}
