package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// botOptions are what every connection of OpenConn begins with, unless the URI
// says otherwise.
var botOptions = []struct{ key, value string }{
	// A transaction that reads first and writes later would fail at once if
	// another has written in between. Beginning as a writer it waits.
	{"_txlock", "immediate"},
	// As the date functions of SQLite read it, and in order when sorted.
	{"_time_format", "sqlite"},
}

// botPragmas count unless the caller gives the same.
var botPragmas = []string{"busy_timeout(10000)", "foreign_keys(1)", "synchronous(full)"}

// OpenConn opens a connection for a program that owns the database, as boot gives
// it to a bot. The URI is that of FileURI or MemoryURI. Further pragmas are
// written as "name(value)" and win over what is said here.
//
// It waits up to ten seconds for the lock of another connection, enforces
// foreign keys, and uses WAL mode where the place allows it. Transactions begin as
// writers (BEGIN IMMEDIATE) unless they are read-only: waiting is then all that
// another writer costs them. Times are stored as SQLite's own date functions read
// them.
//
// A commit is synced (synchronous=FULL) before it returns: what was acknowledged
// survives a kill at any moment, and also a power failure as far as the disk
// keeps its word. The usual advice for WAL mode, NORMAL, would lose the last
// commits when the power fails.
//
// The connection shares its kind of locks with the rest of this package, so the
// database can be backed up in the same process, beside it.
func OpenConn(ctx context.Context, uri string, pragmas ...string) (driver.Conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	drv, err := ownDriver()
	if err != nil {
		return nil, err
	}
	dsn, name, err := botDSN(uri, pragmas)
	if err != nil {
		return nil, err
	}
	conn, err := drv.Open(dsn)
	if err != nil {
		return nil, explain("open database", name, err)
	}
	if slices.ContainsFunc(pragmas, func(p string) bool { return pragmaName(p) == "journal_mode" }) {
		return conn, nil // it is set
	}
	if err := useWAL(ctx, conn); err != nil {
		return nil, errors.Join(explain("open database", name, err), conn.Close())
	}
	return conn, nil
}

// pragmaName is what a pragma sets, whether it is written name(value) or
// name=value.
func pragmaName(pragma string) string {
	if end := strings.IndexAny(pragma, "(="); end >= 0 {
		pragma = pragma[:end]
	}
	return strings.ToLower(strings.TrimSpace(pragma))
}

// botDSN adds options and pragmas to a URI.
func botDSN(uri string, pragmas []string) (dsn, name string, err error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" {
		return "", "", &holdfast.Error{
			Op: "open database", Object: uri,
			Err:  holdfast.Kindf(holdfast.ErrUsage, "not the URI of a database"),
			Hint: "a URI of SQLite begins with file:",
		}
	}
	given := u.Query()
	var options []string
	if u.RawQuery != "" {
		options = append(options, u.RawQuery)
	}
	for _, o := range botOptions {
		if !given.Has(o.key) {
			options = append(options, o.key+"="+o.value)
		}
	}
	own := slices.DeleteFunc(slices.Clone(botPragmas), func(p string) bool {
		return slices.ContainsFunc(pragmas, func(q string) bool { return pragmaName(q) == pragmaName(p) })
	})
	for _, p := range slices.Concat(own, pragmas) {
		options = append(options, "_pragma="+url.QueryEscape(p))
	}
	before, _, _ := strings.Cut(uri, "?")
	return before + "?" + strings.Join(options, "&"), u.Path, nil
}

// useWAL asks for WAL mode. Memory has none, a file system may lack what it
// needs, and another program may keep the database busy in the mode that it has:
// then that mode stays. The error is for a database that cannot be read at all.
func useWAL(ctx context.Context, conn driver.Conn) error {
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return errors.New("the driver cannot run a statement")
	}
	_, err := execer.ExecContext(ctx, "PRAGMA journal_mode=WAL", nil)
	if err == nil {
		return nil
	}
	if _, unreadable := execer.ExecContext(ctx, "PRAGMA user_version", nil); unreadable != nil {
		return err
	}
	return nil
}

// FileURI is the URI of the database at path, for OpenConn.
func FileURI(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", &holdfast.Error{Op: "open database", Object: path, Err: err}
	}
	return fileURI(abs, "mode=rwc"), nil
}
