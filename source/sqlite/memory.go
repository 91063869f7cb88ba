package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
)

// MemoryURI is the URI of the in-memory database called name. All connections
// of this process to it see one database, with the locks of a file; it lives
// while at least one of them is open.
func MemoryURI(name string) string {
	return "file:/" + url.PathEscape(name) + "?vfs=memdb"
}

// A Memory is the source for a database that lies in memory because its storage
// cannot hold it. Its backups are those of the real database: the same name, the
// same file, readable and restorable in the same way.
//
// While it is open, the in-memory database stays, whoever else closes it.
type Memory struct {
	file *Source // the real database: name, path and checks
	uri  string

	db   *sql.DB
	conn *sql.Conn // keeps the database; used one at a time
}

var _ holdfast.Source = (*Memory)(nil)

// NewMemory makes the source called name of the in-memory database at uri,
// which takes the place of the database at path.
func NewMemory(name, path, uri string) (*Memory, error) {
	file, err := New(name, path, Options{})
	if err != nil {
		return nil, err
	}
	db, err := openDSN(uri, 0)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(explain("open database", uri, err), db.Close())
	}
	return &Memory{file: file, uri: uri, db: db, conn: conn}, nil
}

// Name is the folder of the source in every backup.
func (m *Memory) Name() string { return m.file.Name() }

// Kind is holdfast.KindSQLite.
func (m *Memory) Kind() holdfast.Kind { return holdfast.KindSQLite }

// Target is the real database. Nothing here ever touches it.
func (m *Memory) Target() holdfast.Target { return m.file.Target() }

// Check checks a copy as the source of the real database does.
func (m *Memory) Check(ctx context.Context, copy fs.FS, opts holdfast.CheckOptions) (holdfast.Report, error) {
	return m.file.Check(ctx, copy, opts)
}

// Close lets go of the database. When all connections to it are closed, it is
// gone.
func (m *Memory) Close() error { return errors.Join(m.conn.Close(), m.db.Close()) }

// Inspect looks at the in-memory database.
func (m *Memory) Inspect(ctx context.Context, opts holdfast.InspectOptions) (holdfast.Inspection, error) {
	facts := &holdfast.SQLiteFacts{QuickCheck: holdfast.CheckUnchecked}
	l := &Live{path: m.file.path, opts: LiveOptions{Wait: inspectWait}, conn: m.conn}
	bytes, err := inspectLive(ctx, l, opts, facts)
	return holdfast.Inspection{Exists: true, Bytes: bytes, Facts: holdfast.Facts{SQLite: facts}}, err
}

// Capture copies the in-memory database as it is at one instant.
func (m *Memory) Capture(ctx context.Context, sink holdfast.Sink) (holdfast.Captured, error) {
	w, err := sink.Create(holdfast.Entry{Path: m.file.file(), Mode: 0o600})
	if err != nil {
		return holdfast.Captured{}, err
	}
	l := &Live{path: m.file.path, opts: LiveOptions{Wait: DefaultWait}, conn: m.conn}
	err = l.Begin(ctx)
	if err == nil {
		err = errors.Join(l.Copy(ctx, w, nil), l.End())
	}
	if err != nil {
		return holdfast.Captured{}, errors.Join(err, w.Discard())
	}
	return holdfast.Captured{Method: "memory", Stall: l.Held()}, w.Close()
}

// Save writes the database to a new file at path and syncs it.
func (m *Memory) Save(ctx context.Context, path string) error {
	return errors.ErrUnsupported
}

// Peek tells the state of the in-memory database.
func (m *Memory) Peek() (state string, settled bool, err error) { return "", false, nil }

// LoadMemory fills the in-memory database at uri from a database file.
func LoadMemory(ctx context.Context, uri string, fsys fs.FS, file string) (err error) {
	r := &onlineRestore{path: uri, staged: file, wait: DefaultWait, progress: noProgress, pageSize: 4096}
	r.source = &oneFile{fsys: fsys, name: file, asRollback: true}
	db, err := openDSN(uri, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Raw(func(c any) error { return r.write(ctx, c) })
}

// LoadMemoryFrom is LoadMemory from the database at path on a storage that may
// be full, read-only or failing.
func LoadMemoryFrom(ctx context.Context, uri, path string) error {
	return LoadMemory(ctx, uri, os.DirFS(filepath.Dir(path)), filepath.Base(path))
}
