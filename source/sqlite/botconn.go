package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// botPragmas are what every connection of OpenConn begins with. The wait comes
// first: changing the journal mode may already meet a lock.
var botPragmas = []string{"busy_timeout(10000)", "foreign_keys(1)"}

// OpenConn opens a connection for a program that owns the database, as boot gives
// it to a bot. The URI is that of FileURI or MemoryURI. Further pragmas are
// written as "name(value)" and come last, so that they win.
//
// It waits up to ten seconds for the lock of another connection, enforces
// foreign keys, and uses WAL mode where the place allows it. A commit is synced
// (synchronous=FULL) before it returns: what was acknowledged survives a kill at
// any moment, and also a power failure as far as the disk keeps its word. The
// default of many drivers for WAL mode, NORMAL, would lose the last commits
// when the power fails.
//
// The connection shares its kind of locks with the rest of this package, so the
// database can be backed up in the same process, beside it.
func OpenConn(ctx context.Context, uri string, pragmas ...string) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
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
	if err := useWAL(ctx, conn); err != nil {
		return nil, errors.Join(explain("open database", name, err), conn.Close())
	}
	return conn, nil
}

// botDSN adds the pragmas to a URI.
func botDSN(uri string, pragmas []string) (dsn, name string, err error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" {
		return "", "", &holdfast.Error{
			Op: "open database", Object: uri,
			Err:  holdfast.Kindf(holdfast.ErrUsage, "not the URI of a database"),
			Hint: "a URI of SQLite begins with file:",
		}
	}
	options := make([]string, 0, len(botPragmas)+len(pragmas)+2)
	if u.RawQuery != "" {
		options = append(options, u.RawQuery)
	}
	for _, p := range append(botPragmas[:len(botPragmas):len(botPragmas)], "synchronous(full)") {
		options = append(options, "_pragma="+url.QueryEscape(p))
	}
	for _, p := range pragmas {
		options = append(options, "_pragma="+url.QueryEscape(p))
	}
	before, _, _ := strings.Cut(uri, "?")
	return before + "?" + strings.Join(options, "&"), u.Path, nil
}

// useWAL asks for WAL mode. A place that has none (memory, a file system
// without shared memory) answers with the mode that it keeps, which is no error.
func useWAL(ctx context.Context, conn driver.Conn) error {
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return errors.New("the driver cannot run a statement")
	}
	_, err := execer.ExecContext(ctx, "PRAGMA journal_mode=WAL", nil)
	return err
}

// FileURI is the URI of the database at path, for OpenConn.
func FileURI(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("open database %s: %w", path, err)
	}
	return fileURI(abs, "mode=rwc"), nil
}
