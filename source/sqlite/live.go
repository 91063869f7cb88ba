package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// DefaultWait is how long a lock of another application is waited for.
const DefaultWait = 30 * time.Second

// LiveOptions are the options of OpenLive; the zero value is good.
type LiveOptions struct {
	// Wait bounds the wait for a lock that another application holds;
	// zero is DefaultWait.
	Wait time.Duration

	// pause is the longest time between two tries to get a lock; zero is
	// longestPause.
	pause time.Duration
}

// A Live is a connection to a database that others use at the same time. It
// reads under SQLite's locking protocol and writes nothing: it makes no
// checkpoint and changes no journal mode.
//
// The life of a Live is OpenLive, then any number of Begin or BeginImmediate,
// reads through Conn and Copy, End, and then Close. It is for one goroutine.
type Live struct {
	path string // of the file itself, links followed
	opts LiveOptions

	file   *os.File // nil where the file must not be opened outside SQLite
	closed bool     // there was no -wal at OpenLive
	reader *sql.DB
	conn   *sql.Conn
	writer *sql.DB   // opened for BeginImmediate
	wconn  *sql.Conn // of writer

	active    *sql.Conn // of the present transaction
	mode      string    // of the present transaction
	began     time.Time
	opening   look // what there was before the present transaction
	quiet     bool // every commit since then moves it
	blocking  bool // the present transaction can make writers wait
	held      time.Duration
	recovered bool
}

// OpenLive connects to the database at path. Symbolic links are followed.
// Nothing is locked before Begin.
func OpenLive(ctx context.Context, path string, opts LiveOptions) (_ *Live, err error) {
	l := &Live{opts: opts}
	l.opts.Wait = waitOr(opts.Wait)
	if l.path, err = filepath.Abs(path); err != nil {
		return nil, openError(path, err)
	}
	l.path = followLinks(l.path)
	if _, err := statDatabase(l.path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if plainReads() {
		// Opened before the first transaction and closed after the last:
		// with POSIX locks, closing it would drop those of SQLite.
		if l.file, err = os.Open(l.path); err != nil {
			return nil, openError(l.path, err)
		}
	}
	l.closed = noLog(l.path)
	if l.reader, l.conn, err = l.connect(ctx, "mode=ro"); err != nil {
		return nil, err
	}
	return l, nil
}

// connect opens one connection of its own.
func (l *Live) connect(ctx context.Context, access string) (*sql.DB, *sql.Conn, error) {
	// writable_schema makes SQLite read databases whose schema it cannot
	// parse; nothing is ever written here.
	db, err := openDSN(fileURI(l.path, access, "_pragma=temp_store(memory)", "_pragma=writable_schema(1)"), 0)
	if err != nil {
		return nil, nil, err
	}
	var conn *sql.Conn
	err = l.retry(ctx, func() (err error) {
		conn, err = db.Conn(ctx)
		return err
	})
	if err != nil {
		return nil, nil, errors.Join(l.explain("open database", err), db.Close())
	}
	return db, conn, nil
}

// Path is the file itself: absolute, links followed.
func (l *Live) Path() string { return l.path }

// Conn is the connection of the present transaction, for SQL that belongs to
// the same instant as Copy.
func (l *Live) Conn() *sql.Conn {
	if l.active != nil {
		return l.active
	}
	return l.conn
}

// Mode is the journal mode, ModeWAL or ModeRollback, as found inside the
// present or the last transaction.
func (l *Live) Mode() string { return l.mode }

// Held is the longest time for which a transaction of this Live held a lock
// that can make writers wait.
func (l *Live) Held() time.Duration { return l.held }

// Recovered tells that SQLite had to roll back what a crashed process left
// half-done before the database could be read.
func (l *Live) Recovered() bool { return l.recovered }

// Begin starts a read transaction. All that is read until End belongs to one
// instant. In WAL mode nobody waits for it; in rollback mode writers wait
// until End.
func (l *Live) Begin(ctx context.Context) error {
	return l.begin(ctx, l.conn, "BEGIN")
}

// BeginImmediate starts a transaction that keeps all other writers out until
// End, in either journal mode; readers go on. It needs permission to write
// the file, though nothing is written.
func (l *Live) BeginImmediate(ctx context.Context) error {
	if l.wconn == nil {
		// While the reader has the database open, closing the writer is not
		// the last close, so it makes no checkpoint.
		if err := l.retryRecover(ctx, func() error { return touch(ctx, l.conn) }); err != nil {
			return l.explain("read database", err)
		}
		var err error
		if l.writer, l.wconn, err = l.connect(ctx, "mode=rw"); err != nil {
			return err
		}
	}
	return l.begin(ctx, l.wconn, "BEGIN IMMEDIATE")
}

func (l *Live) begin(ctx context.Context, conn *sql.Conn, statement string) error {
	if l.active != nil {
		return &holdfast.Error{Op: "begin transaction on", Object: l.path, Err: errors.New("one is already open")}
	}
	err := l.retryRecover(ctx, func() error {
		l.observe()
		start := time.Now()
		if err := execute(ctx, conn, statement); err != nil {
			return err
		}
		// A deferred transaction locks at its first read.
		if err := touch(ctx, conn); err != nil {
			return errors.Join(err, rollback(ctx, conn))
		}
		l.began = start
		return nil
	})
	if err != nil {
		return l.explain("read database", err)
	}
	l.active = conn
	// Looked at here and not before: another process may change it at any
	// time at which nobody reads.
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&l.mode); err != nil {
		return errors.Join(l.explain("read journal mode of", err), l.End())
	}
	if l.mode != ModeWAL {
		l.mode = ModeRollback
	}
	l.blocking = l.mode == ModeRollback || statement != "BEGIN"
	if err := l.sameFile(); err != nil {
		return errors.Join(err, l.End())
	}
	return nil
}

// errReplaced tells that another file has taken the path since OpenLive.
var errReplaced = errors.New("another file has taken its place while it was being read")

// sameFile makes sure that SQLite and the plain descriptor see one file.
func (l *Live) sameFile() error {
	if l.file == nil {
		return nil
	}
	opened, err := l.file.Stat()
	if err != nil {
		return openError(l.path, err)
	}
	now, err := os.Stat(l.path)
	if err != nil {
		return openError(l.path, err)
	}
	if !os.SameFile(opened, now) {
		return &holdfast.Error{
			Op: "read database", Object: l.path, Err: errReplaced,
			Hint: "try again when nothing moves the file",
		}
	}
	return nil
}

// End ends the present transaction and releases its locks. Without one it
// does nothing. It works on after a cancelled context.
func (l *Live) End() error {
	if l.active == nil {
		return nil
	}
	err := rollback(context.Background(), l.active)
	if l.blocking {
		l.held = max(l.held, time.Since(l.began))
	}
	l.active = nil
	if err = errors.Join(err, l.closeWriter()); err != nil {
		return &holdfast.Error{Op: "end transaction on", Object: l.path, Err: err}
	}
	return nil
}

// Close ends the transaction if there is one, and closes all connections.
func (l *Live) Close() error {
	err := errors.Join(l.End(), l.closeWriter())
	if l.conn != nil && l.closed && l.mode == ModeWAL {
		err = errors.Join(err, l.tidy())
	}
	if l.conn != nil {
		err = errors.Join(err, l.conn.Close(), l.reader.Close())
		l.conn = nil
	}
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
		l.file = nil
	}
	return err
}

// tidy removes the -wal and -shm that reading made, where there were none. A
// connection that may write does so when it is the last to close; having
// nothing in the log, it writes nothing into the database.
func (l *Live) tidy() error {
	ctx := context.Background()
	db, conn, err := l.connect(ctx, "mode=rw")
	if err != nil {
		return err
	}
	if err := touch(ctx, conn); err != nil && !isBusy(err) {
		return errors.Join(l.explain("close database", err), conn.Close(), db.Close())
	}
	err = errors.Join(l.conn.Close(), l.reader.Close())
	l.conn = nil
	return errors.Join(err, conn.Close(), db.Close())
}

// closeWriter closes the connection that BeginImmediate opened.
func (l *Live) closeWriter() error {
	if l.wconn == nil {
		return nil
	}
	err := errors.Join(l.wconn.Close(), l.writer.Close())
	l.wconn, l.writer = nil, nil
	return err
}

// touch makes a connection take its SHARED lock. user_version needs only the
// header, so it works on databases whose schema this SQLite cannot read.
func touch(ctx context.Context, conn *sql.Conn) error {
	var version int64
	return conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
}

func execute(ctx context.Context, conn *sql.Conn, statement string) error {
	_, err := conn.ExecContext(ctx, statement)
	return err
}

// rollback ends a transaction if one is open.
func rollback(ctx context.Context, conn *sql.Conn) error {
	err := execute(context.WithoutCancel(ctx), conn, "ROLLBACK")
	if err != nil && isNoTransaction(err) {
		return nil
	}
	return err
}

// fileAt reads the plain file; nil where that would drop SQLite's locks.
func (l *Live) fileAt() io.ReaderAt {
	if l.file == nil {
		return nil
	}
	return l.file
}
