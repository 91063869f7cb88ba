package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"syscall"

	sqlite3 "modernc.org/sqlite/lib"
)

// What TryWAL can find.
var (
	// ErrNoWAL tells that SQLite does not use its WAL mode in a place.
	ErrNoWAL = errors.New("SQLite keeps no write-ahead log here")
	// ErrNoLocks tells that SQLite's locks fail, or do not keep a second
	// writer out.
	ErrNoLocks = errors.New("SQLite's locks do not work here")
)

// TryWAL makes a throw-away database at path, which must not exist, and tries in
// WAL mode what programs rely on: one connection writes, another one reads it,
// and a writer keeps a second one out. Nothing is synced. The caller removes the
// folder of path.
//
// Both connections are of this process, where SQLite knows of itself which locks
// it holds; whether the file system keeps them between processes too must be
// tried with plain files.
func TryWAL(ctx context.Context, path string) (err error) {
	db, err := openDSN(fileURI(path, "mode=rwc", "_pragma=synchronous(0)", "_pragma=temp_store(memory)"), 0)
	if err != nil {
		return err
	}
	defer func() { err = tried(errors.Join(err, db.Close())) }()
	one, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer one.Close()
	mode := ""
	if err := one.QueryRowContext(ctx, "PRAGMA journal_mode=wal").Scan(&mode); err != nil {
		return noWAL(err)
	}
	if mode != ModeWAL {
		return fmt.Errorf("%w: its journal mode stays %q", ErrNoWAL, mode)
	}
	if err := tryExec(ctx, one, "CREATE TABLE probe (v); INSERT INTO probe VALUES (1)"); err != nil {
		return noWAL(err)
	}
	two, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer two.Close()
	for want := 1; want <= 2; want++ {
		got := 0
		if err := two.QueryRowContext(ctx, "SELECT max(v) FROM probe").Scan(&got); err != nil {
			return noWAL(err)
		}
		if got != want {
			return fmt.Errorf("%w: a second connection reads %d where %d was written", ErrNoWAL, got, want)
		}
		if err := tryExec(ctx, one, "INSERT INTO probe VALUES (2)"); err != nil {
			return err
		}
	}
	return excluded(ctx, one, two)
}

// tried gives the error of a trial the kind by which callers know what failed:
// SQLite tells it by numbers of its own.
func tried(err error) error {
	switch primary, extended := code(err); {
	case primary == sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	case extended == sqlite3.SQLITE_IOERR_LOCK, extended == sqlite3.SQLITE_IOERR_RDLOCK,
		extended == sqlite3.SQLITE_IOERR_UNLOCK, extended == sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK:
		return fmt.Errorf("%w: %w", ErrNoLocks, err)
	}
	return err
}

func noWAL(err error) error { return fmt.Errorf("%w: %w", ErrNoWAL, err) }

// excluded tries that two cannot write while one does, and can afterwards.
func excluded(ctx context.Context, one, two *sql.Conn) error {
	if err := tryExec(ctx, one, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := tryExec(ctx, two, "BEGIN IMMEDIATE")
	if err == nil {
		return fmt.Errorf("%w: a second connection may write while the first one does", ErrNoLocks)
	}
	if !isBusy(err) {
		return err
	}
	return errors.Join(tryExec(ctx, one, "COMMIT"), tryExec(ctx, two, "BEGIN IMMEDIATE; COMMIT"))
}

func tryExec(ctx context.Context, conn *sql.Conn, statements string) error {
	_, err := conn.ExecContext(ctx, statements)
	return err
}
