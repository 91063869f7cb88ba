package pool_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/boot/internal/pool"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

func open(ctx context.Context, uri string) (driver.Conn, error) {
	return sqlite.OpenConn(ctx, uri)
}

// newPool makes a pool over SQLite at a new file.
func newPool(t *testing.T, o pool.Options) (p *pool.Pool, path string) {
	t.Helper()
	if o.Open == nil {
		o.Open = open
	}
	if o.IsFault == nil {
		o.IsFault = sqlite.Fault
	}
	path = filepath.Join(t.TempDir(), "bot.db")
	p = pool.New(o)
	p.Use(diskURI(t, path))
	t.Cleanup(func() {
		if err := p.DB().Close(); err != nil {
			t.Error(err)
		}
	})
	return p, path
}

func diskURI(t *testing.T, path string) string {
	t.Helper()
	u, err := sqlite.FileURI(path)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// an executor is a DB, a transaction or a connection.
type executor interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

func do(t *testing.T, db executor, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func number(t *testing.T, db executor, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// hold holds a pool in which nothing may be at work.
func hold(t *testing.T, p *pool.Pool) *pool.Hold {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	h, err := p.Hold(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// held tells whether a hold can be had at once.
func held(t *testing.T, p *pool.Pool) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	h, err := p.Hold(ctx)
	if err != nil {
		if !errors.Is(err, holdfast.ErrLocked) || holdfast.HintOf(err) == "" {
			t.Fatalf("a hold that gives up says %v", err)
		}
		return false
	}
	h.Release()
	return true
}

// openFiles counts the descriptors of this process below a directory.
func openFiles(t *testing.T, dir string) (names []string) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, dir) {
			names = append(names, to)
		}
	}
	return names
}

func TestHold_WaitsForWhateverIsAtWork(t *testing.T) {
	tests := []struct {
		name  string
		begin func(t *testing.T, db *sql.DB) (end func() error)
	}{
		{"rows", func(t *testing.T, db *sql.DB) func() error {
			rows, err := db.QueryContext(t.Context(), "SELECT x FROM t")
			if err != nil || !rows.Next() {
				t.Fatal(err, "no row")
			}
			return rows.Close
		}},
		{"rows of a prepared statement", func(t *testing.T, db *sql.DB) func() error {
			s, err := db.PrepareContext(t.Context(), "SELECT x FROM t WHERE x>?")
			if err != nil {
				t.Fatal(err)
			}
			rows, err := s.QueryContext(t.Context(), 0)
			if err != nil || !rows.Next() {
				t.Fatal(err, "no row")
			}
			return func() error { return errors.Join(rows.Close(), s.Close()) }
		}},
		{"a transaction", func(t *testing.T, db *sql.DB) func() error {
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			do(t, tx, "INSERT INTO t VALUES (2)")
			return tx.Commit
		}},
		{"a transaction that is rolled back", func(t *testing.T, db *sql.DB) func() error {
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return tx.Rollback
		}},
		{"a pinned connection in a transaction of its own", func(t *testing.T, db *sql.DB) func() error {
			c, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			do(t, c, "/* by hand */ begin immediate")
			do(t, c, "INSERT INTO t VALUES (CASE 1 WHEN 1 THEN 2 END)")
			return func() error {
				do(t, c, "COMMIT")
				return c.Close()
			}
		}},
		{"a savepoint", func(t *testing.T, db *sql.DB) func() error {
			c, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			do(t, c, "SAVEPOINT one")
			do(t, c, "SAVEPOINT two")
			do(t, c, "RELEASE two")
			return func() error {
				do(t, c, "RELEASE one")
				return c.Close()
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, path := newPool(t, pool.Options{})
			do(t, p.DB(), "CREATE TABLE t (x); INSERT INTO t VALUES (1)")
			if !held(t, p) {
				t.Fatal("nothing is at work, yet there is no hold")
			}
			end := tt.begin(t, p.DB())
			if held(t, p) {
				t.Fatal("held while at work")
			}
			if err := end(); err != nil {
				t.Fatal(err)
			}
			h := hold(t, p)
			defer h.Release()
			if names := openFiles(t, filepath.Dir(path)); len(names) > 0 {
				t.Errorf("in a hold these are open: %v", names)
			}
		})
	}
}

func TestHold_KeepsNewcomersUntilRelease(t *testing.T) {
	p, _ := newPool(t, pool.Options{})
	do(t, p.DB(), "CREATE TABLE t (x)")
	h := hold(t, p)
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.DB().ExecContext(short, "INSERT INTO t VALUES (?)", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a statement in a hold gives %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := p.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (2)")
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("a statement ran in a hold: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	h.Release()
	h.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := number(t, p.DB(), "SELECT sum(x) FROM t"); n != 2 {
		t.Errorf("the sum is %d", n)
	}
}

// A goroutine that reads rows and writes for each of them on another connection
// would wait for a hold that waits for it.
func TestHold_GivesUpForNestedStatements(t *testing.T) {
	p, _ := newPool(t, pool.Options{})
	do(t, p.DB(), "CREATE TABLE t (x); INSERT INTO t VALUES (1),(2),(3)")
	rows, err := p.DB().QueryContext(t.Context(), "SELECT x FROM t WHERE x<4")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		failed := make(chan error)
		go func() {
			_, err := p.Hold(ctx)
			failed <- err
		}()
		time.Sleep(5 * time.Millisecond) // so that the statement is the newcomer
		do(t, p.DB(), "INSERT INTO t VALUES (?)", 10)
		if err := <-failed; !errors.Is(err, holdfast.ErrLocked) {
			t.Errorf("a hold beside open rows gives %v", err)
		}
		cancel()
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if n := number(t, p.DB(), "SELECT count(*) FROM t WHERE x=10"); n != 3 {
		t.Errorf("%d of 3 nested statements ran", n)
	}
	if !held(t, p) {
		t.Error("no hold after the rows were closed")
	}
}

func TestHold_OneAtATime(t *testing.T) {
	p, _ := newPool(t, pool.Options{})
	h := hold(t, p)
	if held(t, p) {
		t.Error("two holds at once")
	}
	h.Release()
	if !held(t, p) {
		t.Error("no hold after the first was released")
	}
}

func TestMove_WhatThePoolHasGivenOutGoesOn(t *testing.T) {
	p, path := newPool(t, pool.Options{})
	db := p.DB()
	do(t, db, "CREATE TABLE t (x); INSERT INTO t VALUES ('disk')")
	prepared, err := db.PrepareContext(t.Context(), "SELECT x FROM t WHERE x<>?")
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	pinned, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer pinned.Close()
	where := func() (all []string) {
		t.Helper()
		var a, b, c string
		err := errors.Join(
			db.QueryRowContext(t.Context(), "SELECT x FROM t").Scan(&a),
			prepared.QueryRowContext(t.Context(), "").Scan(&b),
			pinned.QueryRowContext(t.Context(), "SELECT x FROM t").Scan(&c))
		if err != nil {
			t.Fatal(err)
		}
		return []string{a, b, c}
	}
	want := func(place string) {
		t.Helper()
		if got := where(); got[0] != place || got[1] != place || got[2] != place {
			t.Errorf("DB, statement and connection read %v, want %q", got, place)
		}
	}
	want("disk")

	memory := sqlite.MemoryURI(t.Name())
	m, err := sqlite.NewMemory("bot", path, memory)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	h := hold(t, p)
	if err := sqlite.LoadMemoryFrom(t.Context(), memory, path); err != nil {
		t.Fatal(err)
	}
	h.Move(memory)
	h.Release()
	do(t, db, "UPDATE t SET x='memory'")
	want("memory")
	if p.URI() != memory {
		t.Errorf("the pool is at %s", p.URI())
	}
	if names := openFiles(t, filepath.Dir(path)); len(names) > 0 {
		t.Errorf("after the move these are open: %v", names)
	}

	h = hold(t, p)
	h.Move(diskURI(t, path))
	h.Release()
	want("disk")
}

func TestUse_EndsWhatIsOpenElsewhere(t *testing.T) {
	p, path := newPool(t, pool.Options{})
	do(t, p.DB(), "CREATE TABLE t (x)")
	tx, err := p.DB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	do(t, tx, "INSERT INTO t VALUES (1)")
	other := filepath.Join(filepath.Dir(path), "other.db")
	p.Use(diskURI(t, other))
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (2)"); err == nil || !strings.Contains(err.Error(), "moved") {
		t.Errorf("a statement of the old place gives %v", err)
	}
	if err := tx.Commit(); err == nil || !strings.Contains(err.Error(), "moved") || holdfast.HintOf(err) == "" {
		t.Errorf("a commit at the old place gives %v", err)
	}
	do(t, p.DB(), "CREATE TABLE t (x)")
	p.Use(diskURI(t, path))
	if n := number(t, p.DB(), "SELECT count(*) FROM t"); n != 0 {
		t.Errorf("%d rows of a transaction that was told to have failed", n)
	}
}

func TestRaw_ReachesTheDriver(t *testing.T) {
	p, _ := newPool(t, pool.Options{})
	c, err := p.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := pool.Raw(c, func(inner any) error {
		s, ok := inner.(interface{ Serialize() ([]byte, error) })
		if !ok {
			return fmt.Errorf("%T is not the connection of the driver", inner)
		}
		_, err := s.Serialize()
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestRows_TellTypes(t *testing.T) {
	p, _ := newPool(t, pool.Options{})
	do(t, p.DB(), "CREATE TABLE t (id INTEGER, name VARCHAR(10))")
	do(t, p.DB(), "INSERT INTO t VALUES (:id, :name)", sql.Named("name", "n"), sql.Named("id", 7))
	rows, err := p.DB().QueryContext(t.Context(), "SELECT id, name FROM t")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() {
		t.Fatal("no row")
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	if got := types[1].DatabaseTypeName(); got != "VARCHAR(10)" {
		t.Errorf("the type of name is %q", got)
	}
	if got := types[0].ScanType().String(); got != "int64" {
		t.Errorf("id scans into %s", got)
	}
	if rows.NextResultSet() {
		t.Error("there is a second result")
	}
}
