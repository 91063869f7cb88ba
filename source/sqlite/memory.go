package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// MemoryLimit is how large an in-memory database can grow. It is SQLite's own
// default; a statement that needs more fails with SQLITE_FULL.
const MemoryLimit = 1 << 30

// MemoryURI is the URI of the in-memory database called name. All connections
// of this process to it see one database, with the locks of a file: a reader
// waits for a writer and a writer for readers, as with a rollback journal. It
// lives while at least one of them is open.
func MemoryURI(name string) string {
	return "file:/" + url.PathEscape(name) + "?vfs=memdb"
}

// A Memory is the source for a database that lies in memory because its storage
// cannot hold it. Its backups are those of the real database: the same name, the
// same file, read and restored in the same way.
//
// While it is open, the in-memory database stays, whoever else closes it.
type Memory struct {
	file *Source // the real database: name, path and checks
	uri  string
	id   string // of this life of the database

	db *sql.DB

	mu   sync.Mutex // of what follows
	conn *sql.Conn  // keeps the database; looks at it for Peek
	last string     // what Peek saw
}

var (
	_ holdfast.Source = (*Memory)(nil)
	_ holdfast.Peeker = (*Memory)(nil)
)

// NewMemory makes the source called name of the in-memory database at uri,
// which takes the place of the database at path. It is empty until LoadMemory
// fills it.
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
	return &Memory{file: file, uri: uri, id: rand.Text(), db: db, conn: conn}, nil
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
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return errors.Join(m.conn.Close(), m.db.Close())
}

// memoryPause is the longest time between two tries to get a lock: transactions
// in memory are short, and many writers leave only short gaps.
const memoryPause = 200 * time.Microsecond

// live gives a reader of the in-memory database. Its connection must be closed
// after End.
func (m *Memory) live(ctx context.Context) (*Live, error) {
	conn, err := m.db.Conn(ctx)
	if err != nil {
		return nil, explain("open database", m.uri, err)
	}
	return &Live{path: m.uri, opts: LiveOptions{Wait: DefaultWait, pause: memoryPause}, conn: conn}, nil
}

// Inspect looks at the in-memory database.
func (m *Memory) Inspect(ctx context.Context, opts holdfast.InspectOptions) (in holdfast.Inspection, err error) {
	l, err := m.live(ctx)
	if err != nil {
		return in, err
	}
	defer func() { err = errors.Join(err, l.conn.Close()) }()
	facts := &holdfast.SQLiteFacts{QuickCheck: holdfast.CheckUnchecked}
	in = holdfast.Inspection{Exists: true, Facts: holdfast.Facts{SQLite: facts}}
	if in.Bytes, err = inspectLive(ctx, l, holdfast.InspectOptions{}, facts); err != nil {
		return holdfast.Inspection{}, err
	}
	if opts.Counts {
		// Outside of a transaction, so that a writer waits for one table at
		// most.
		within, cancel := context.WithTimeout(ctx, inspectBudget)
		defer cancel()
		_ = countTables(within, l.conn, facts) // what was not counted is absent
	}
	return in, nil
}

// peekWait is how long Peek waits for a transaction to end.
const peekWait = 50 * time.Millisecond

// Peek tells the state of the in-memory database, by the header that every
// commit changes. While a transaction writes it is another state, and not settled.
func (m *Memory) Peek() (state string, settled bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx := context.Background()
	var head []byte
	err = retryOften(ctx, m.uri, peekWait, memoryPause, func() error {
		return m.conn.QueryRowContext(ctx, headQuery, headerSize).Scan(&head)
	})
	switch {
	case isBusy(err):
		return m.last + " being written", false, nil
	case err != nil && !errors.Is(err, sql.ErrNoRows): // an empty one has no page
		return "", false, explain("read database", m.uri, err)
	}
	m.last = fmt.Sprintf("memory %s %x", m.id, head)
	return m.last, true, nil
}

// headQuery reads the header of a database through SQLite.
const headQuery = "SELECT substr(data, 1, ?) FROM sqlite_dbpage WHERE pgno=1"

// Save writes the database, as it is at one instant, to path: complete, synced
// and checked, or not at all. It is for the way back to a storage that works
// again, while nobody writes.
func (m *Memory) Save(ctx context.Context, path string) error {
	err := durable.WriteFileFunc(durable.OS, path, m.mode(), func(w io.Writer) (err error) {
		l, err := m.live(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.conn.Close()) }()
		if err := l.Begin(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.End()) }()
		return l.copyPages(ctx, w, noProgress)
	})
	if err == nil {
		if err = CheckFile(ctx, path); err != nil {
			err = &holdfast.Error{Err: err, Hint: "do not use this file; the database in memory goes on"}
		}
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &holdfast.Error{Op: "save the in-memory database to", Object: path, Err: err}
}

// mode gives the permissions of the real database, if it is there.
func (m *Memory) mode() fs.FileMode {
	if info, err := os.Lstat(m.file.path); err == nil && info.Mode().IsRegular() {
		return info.Mode().Perm()
	}
	return 0o600
}
