package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-backup/holdfast"
)

// code gives SQLite's primary result code in err, and the extended one.
func code(err error) (primary, extended int) {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff, e.Code()
	}
	return 0, 0
}

// isBusy tells that another connection holds a lock.
func isBusy(err error) bool {
	primary, _ := code(err)
	return primary == sqlite3.SQLITE_BUSY || primary == sqlite3.SQLITE_LOCKED
}

func isNoTransaction(err error) bool {
	primary, _ := code(err)
	return primary == sqlite3.SQLITE_ERROR && strings.Contains(err.Error(), "no transaction is active")
}

// waitOr gives the wait that was asked for, or the default.
func waitOr(wait time.Duration) time.Duration {
	if wait <= 0 {
		return DefaultWait
	}
	return wait
}

// longestPause is the longest time between two tries to get a lock.
const longestPause = 10 * time.Millisecond

func (l *Live) retry(ctx context.Context, f func() error) error {
	return retryOften(ctx, l.path, l.opts.Wait, cmp.Or(l.opts.pause, longestPause), f)
}

// retry calls f until it no longer meets a lock of another application on the
// database at path, for at most wait. SQLite's own busy handler would sleep
// where ctx cannot reach it.
func retry(ctx context.Context, path string, wait time.Duration, f func() error) error {
	return retryOften(ctx, path, wait, longestPause, f)
}

// retryOften is retry with no longer a pause between two tries.
func retryOften(ctx context.Context, path string, wait, longest time.Duration, f func() error) error {
	deadline := time.Now().Add(wait)
	for pause := min(time.Millisecond, longest); ; pause = min(2*pause, longest) {
		err := f()
		if err == nil || !isBusy(err) {
			return err
		}
		if time.Now().After(deadline) {
			return lockedError(path, wait, err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// lockedError names who has held the lock for so long, where the system
// tells.
func lockedError(path string, wait time.Duration, cause error) error {
	owner := "another process"
	if holder := lockHolder(path); holder != "" {
		owner = holder
	}
	return &holdfast.Error{
		Op: "open database", Object: path,
		Err:  holdfast.Kindf(holdfast.ErrLocked, "the database has been locked by %s for %v: %w", owner, wait, cause),
		Hint: "let the application finish or close its transaction, then try again",
	}
}

// retryRecover is retry, and lets SQLite roll back what a crashed process
// left half-done. A read-only connection may not do that; any other reader of
// the database would do the same at its first read.
func (l *Live) retryRecover(ctx context.Context, f func() error) error {
	err := l.retry(ctx, f)
	if _, extended := code(err); extended != sqlite3.SQLITE_READONLY_ROLLBACK {
		return err
	}
	if err := l.recover(ctx); err != nil {
		return &holdfast.Error{
			Op: "recover", Object: l.path,
			Err:  fmt.Errorf("a crashed process left a transaction half-done, and it cannot be rolled back: %w", err),
			Hint: "run holdfast as a user who may write the database and its directory, or start the application once",
		}
	}
	l.recovered = true
	return l.retry(ctx, f)
}

// recover lets SQLite roll back a hot journal.
func (l *Live) recover(ctx context.Context) error {
	db, conn, err := l.connect(ctx, "mode=rw")
	if err != nil {
		return err
	}
	err = l.retry(ctx, func() error { return touch(ctx, conn) })
	return errors.Join(err, conn.Close(), db.Close())
}

func (l *Live) explain(op string, err error) error { return explain(op, l.path, err) }

// explain turns an error of SQLite into one that says what to do.
func explain(op, path string, err error) error {
	if _, ok := errors.AsType[*holdfast.Error](err); ok {
		return err
	}
	e := &holdfast.Error{Op: op, Object: path, Err: err}
	switch primary, _ := code(err); primary {
	case sqlite3.SQLITE_NOTADB:
		e.Err = holdfast.Kindf(holdfast.ErrDamaged, "it is not a readable SQLite database: %v", err)
		e.Hint = "it is encrypted, of another application, or its header is damaged"
	case sqlite3.SQLITE_CANTOPEN:
		e.Hint = "the directory must be readable, and for a database in WAL mode without other users also writable"
	case sqlite3.SQLITE_READONLY:
		e.Hint = "run holdfast as a user who may write the database and its directory"
	}
	return e
}
