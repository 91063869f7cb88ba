package boot

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// A foreign is the source for a database that another SQLite library of this
// process has open. Closing any descriptor of the file would drop the POSIX locks
// of that library, so the file is only looked at, never opened: everything goes
// over a connection of the library itself.
type foreign struct {
	file *sqlite.Source // name, target and checks of copies
	seen *sqlite.Source // what is looked at
	db   *sql.DB
}

var _ holdfast.Peeker = (*foreign)(nil)

// newForeign makes the source of the database that lies at path now and belongs
// where the options say.
func newForeign(o Options, name, path, uri string) (*foreign, error) {
	file, err := sqlite.New(name, o.Database, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	seen, err := sqlite.New(name, path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	db := o.private(uri)
	db.SetMaxIdleConns(0) // no connection outlives what it was opened for
	return &foreign{file: file, seen: seen, db: db}, nil
}

// Name implements holdfast.Source.
func (f *foreign) Name() string { return f.file.Name() }

// Kind implements holdfast.Source.
func (f *foreign) Kind() holdfast.Kind { return f.file.Kind() }

// Target implements holdfast.Source.
func (f *foreign) Target() holdfast.Target { return f.file.Target() }

// Peek implements holdfast.Peeker; it only looks at the names.
func (f *foreign) Peek() (state string, settled bool, err error) { return f.seen.Peek() }

// Check implements holdfast.Source; a copy is nobody else's.
func (f *foreign) Check(ctx context.Context, copy fs.FS, opts holdfast.CheckOptions) (holdfast.Report, error) {
	return f.file.Check(ctx, copy, opts)
}

// Inspect implements holdfast.Source.
func (f *foreign) Inspect(ctx context.Context, _ holdfast.InspectOptions) (holdfast.Inspection, error) {
	path := f.seen.Target().Path
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return holdfast.Inspection{}, nil
	}
	if err != nil {
		return holdfast.Inspection{}, &holdfast.Error{Op: "look at", Object: path, Err: err}
	}
	facts := &holdfast.SQLiteFacts{QuickCheck: holdfast.CheckUnchecked}
	out := holdfast.Inspection{Exists: true, Bytes: info.Size(), Facts: holdfast.Facts{SQLite: facts}}
	for query, value := range map[string]any{
		"PRAGMA page_size": &facts.PageSize, "PRAGMA page_count": &facts.PageCount, "PRAGMA journal_mode": &facts.JournalMode,
		"PRAGMA user_version": &facts.UserVersion, "PRAGMA application_id": &facts.ApplicationID,
	} {
		if err := f.db.QueryRowContext(ctx, query).Scan(value); err != nil {
			return out, &holdfast.Error{Op: "look at", Object: path, Err: err}
		}
	}
	out.Bytes = max(out.Bytes, facts.PageCount*int64(facts.PageSize))
	return out, nil
}

// Capture implements holdfast.Source by VACUUM INTO a temporary file: one read
// transaction of the library, which makes nobody wait in WAL mode.
func (f *foreign) Capture(ctx context.Context, sink holdfast.Sink) (_ holdfast.Captured, err error) {
	path := f.seen.Target().Path
	info, err := os.Lstat(path)
	if err != nil {
		return holdfast.Captured{}, &holdfast.Error{Op: "capture", Object: path, Err: err}
	}
	scratch, err := os.MkdirTemp("", "holdfast-")
	if err != nil {
		return holdfast.Captured{}, &holdfast.Error{Op: "capture", Object: path, Err: err, Hint: "a database of another SQLite library is copied into TMPDIR first"}
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	begun := time.Now()
	copied := filepath.Join(scratch, filepath.Base(path))
	if err := f.into(ctx, copied); err != nil {
		return holdfast.Captured{}, err
	}
	took := time.Since(begun)
	out := holdfast.Captured{Method: "vacuum into", Facts: holdfast.Facts{SQLite: &holdfast.SQLiteFacts{QuickCheck: holdfast.CheckUnchecked}}}
	if err := f.db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&out.Facts.SQLite.JournalMode); err != nil {
		return holdfast.Captured{}, &holdfast.Error{Op: "capture", Object: path, Err: err}
	}
	if out.Facts.SQLite.JournalMode != sqlite.ModeWAL {
		out.Stall = took
		out.Facts.SQLite.JournalMode = sqlite.ModeRollback
	}
	return out, f.store(ctx, copied, info, sink)
}

// store gives the copy to a sink.
func (f *foreign) store(ctx context.Context, copied string, original fs.FileInfo, sink holdfast.Sink) (err error) {
	in, err := os.Open(copied)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	w, err := sink.Create(holdfast.Entry{Path: f.Target().File, Mode: original.Mode().Perm(), ModTime: original.ModTime(), Size: info.Size()})
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, contextReader{ctx, in}); err != nil {
		return errors.Join(err, w.Discard())
	}
	return w.Close()
}

// into writes the database to a new file.
func (f *foreign) into(ctx context.Context, path string) error {
	if err := vacuumInto(ctx, f.db, path); err != nil {
		return &holdfast.Error{Op: "copy", Object: f.seen.Target().Path, Err: err}
	}
	return nil
}
