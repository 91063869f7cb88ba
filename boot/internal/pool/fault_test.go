package pool_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast/boot/internal/pool"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// full is a pool at a file that has no room for another page, whose owner moves
// it to memory at a fault.
type full struct {
	*pool.Pool
	faults atomic.Int32
	moves  atomic.Bool // whether a fault moves it
}

func newFull(t *testing.T, o pool.Options) *full {
	t.Helper()
	f := &full{}
	f.moves.Store(true)
	memory := sqlite.MemoryURI(t.Name())
	var path string
	o.Open = func(ctx context.Context, uri string) (driver.Conn, error) {
		if uri == memory {
			return sqlite.OpenConn(ctx, uri)
		}
		return sqlite.OpenConn(ctx, uri, "max_page_count(4)")
	}
	o.Fault = func(error) {
		f.faults.Add(1)
		if !f.moves.Load() {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10e9)
		defer cancel()
		h, err := f.Hold(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		defer h.Release()
		if err := sqlite.LoadMemoryFrom(ctx, memory, path); err != nil {
			t.Error(err)
			return
		}
		h.Move(memory)
	}
	f.Pool, path = newPool(t, o)
	m, err := sqlite.NewMemory("bot", path, memory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	do(t, f.DB(), "CREATE TABLE t (x)")
	do(t, f.DB(), "INSERT INTO t VALUES ('before')")
	return f
}

// big fits in no page that the file still has.
var big = strings.Repeat("x", 50_000)

func (f *full) want(t *testing.T, rows, faults int) {
	t.Helper()
	if n := number(t, f.DB(), "SELECT count(*) FROM t"); n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
	if n := int(f.faults.Load()); n != faults {
		t.Errorf("%d faults were told, want %d", n, faults)
	}
}

func TestFault_AStatementRunsAgainAtTheNewPlace(t *testing.T) {
	insert := "INSERT INTO t VALUES (?)"
	tests := map[string]func(ctx context.Context, db *sql.DB) error{
		"a statement": func(ctx context.Context, db *sql.DB) error {
			_, err := db.ExecContext(ctx, insert, big)
			return err
		},
		"a prepared statement": func(ctx context.Context, db *sql.DB) error {
			s, err := db.PrepareContext(ctx, insert)
			if err != nil {
				return err
			}
			_, err = s.ExecContext(ctx, big)
			return errors.Join(err, s.Close())
		},
		"a statement that returns rows": func(ctx context.Context, db *sql.DB) error {
			var id int
			return db.QueryRowContext(ctx, insert+" RETURNING rowid", big).Scan(&id)
		},
		"a prepared statement that returns rows": func(ctx context.Context, db *sql.DB) error {
			s, err := db.PrepareContext(ctx, insert+" RETURNING rowid")
			if err != nil {
				return err
			}
			var id int
			err = s.QueryRowContext(ctx, big).Scan(&id)
			return errors.Join(err, s.Close())
		},
		"a statement of a pinned connection": func(ctx context.Context, db *sql.DB) error {
			c, err := db.Conn(ctx)
			if err != nil {
				return err
			}
			_, err = c.ExecContext(ctx, insert, big)
			return errors.Join(err, c.Close())
		},
	}
	for name, run := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFull(t, pool.Options{})
			if err := run(t.Context(), f.DB()); err != nil {
				t.Fatal(err)
			}
			f.want(t, 2, 1)
		})
	}
}

func TestFault_IsReturnedIfThePoolStays(t *testing.T) {
	f := newFull(t, pool.Options{})
	f.moves.Store(false)
	_, err := f.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (?)", big)
	if storage, sure := sqlite.Fault(err); !storage || !sure {
		t.Errorf("a full place gives %v", err)
	}
	f.want(t, 1, 1)
}

// Of several statements some may have been committed.
func TestFault_AScriptIsNotRunAgain(t *testing.T) {
	f := newFull(t, pool.Options{})
	_, err := f.DB().ExecContext(t.Context(), "INSERT INTO t VALUES ('a;b'); INSERT INTO t VALUES (?)", big)
	if err == nil {
		t.Fatal("the script was run again")
	}
	f.want(t, 2, 1) // moved, with what the script had committed
	do(t, f.DB(), "INSERT INTO t VALUES (?)", big)
}

// Where it is not sure that nothing was written, a second run could write twice.
func TestFault_WhatIsNotSureIsNotRunAgain(t *testing.T) {
	f := newFull(t, pool.Options{IsFault: func(err error) (bool, bool) {
		storage, _ := sqlite.Fault(err)
		return storage, false
	}})
	if _, err := f.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (?)", big); err == nil {
		t.Fatal("the statement was run again")
	}
	f.want(t, 1, 1)
	do(t, f.DB(), "INSERT INTO t VALUES (?)", big)
}

func TestFault_EndsATransactionAndTheNextIsAtTheNewPlace(t *testing.T) {
	tests := map[string]func(t *testing.T, db *sql.DB){
		"rolled back": func(t *testing.T, db *sql.DB) {
			tx := fill(t, db)
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
		},
		"committed all the same": func(t *testing.T, db *sql.DB) {
			tx := fill(t, db)
			if _, err := tx.ExecContext(t.Context(), "ROLLBACK"); err != nil {
				t.Log(err) // SQLite may have done so by itself
			}
			if err := tx.Commit(); err == nil {
				t.Error("a transaction without its rows was committed")
			}
		},
		"by hand": func(t *testing.T, db *sql.DB) {
			c, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			do(t, c, "BEGIN IMMEDIATE")
			do(t, c, "INSERT INTO t VALUES ('lost')")
			if _, err := c.ExecContext(t.Context(), "INSERT INTO t VALUES (?)", big); err == nil {
				t.Error("the transaction went on")
			}
			if _, err := c.ExecContext(t.Context(), "ROLLBACK"); err != nil {
				t.Log(err) // SQLite has done so by itself
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		},
	}
	for name, run := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFull(t, pool.Options{})
			run(t, f.DB())
			f.want(t, 1, 1)
			tx, err := f.DB().BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			do(t, tx, "INSERT INTO t VALUES (?)", big)
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			f.want(t, 2, 1)
		})
	}
}

// fill begins a transaction that meets the fault.
func fill(t *testing.T, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	do(t, tx, "INSERT INTO t VALUES ('lost')")
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (?)", big); err == nil {
		t.Error("the transaction went on")
	}
	return tx
}

// After SQLite has rolled a transaction back by itself, the next statement would
// be committed alone.
func TestTx_NothingRunsAfterSQLiteHasEndedIt(t *testing.T) {
	p, _ := newPool(t, pool.Options{})
	do(t, p.DB(), "CREATE TABLE t (x UNIQUE)")
	do(t, p.DB(), "INSERT INTO t VALUES (1)")
	tx, err := p.DB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	do(t, tx, "INSERT INTO t VALUES (2)")
	if _, err := tx.ExecContext(t.Context(), "INSERT OR ROLLBACK INTO t VALUES (1)"); err == nil {
		t.Fatal("a row twice")
	}
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (3)"); err == nil || !strings.Contains(err.Error(), "rolled it back") {
		t.Errorf("a statement after the end gives %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	if n := number(t, p.DB(), "SELECT count(*) FROM t"); n != 1 {
		t.Errorf("%d rows", n)
	}
	if !held(t, p) {
		t.Error("something is still at work")
	}
}

// A constraint fails a statement, not the transaction.
func TestTx_GoesOnAfterAnErrorThatKeepsIt(t *testing.T) {
	p, _ := newPool(t, pool.Options{})
	do(t, p.DB(), "CREATE TABLE t (x UNIQUE)")
	tx, err := p.DB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	do(t, tx, "INSERT INTO t VALUES (1)")
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err == nil {
		t.Fatal("a row twice")
	}
	do(t, tx, "INSERT INTO t VALUES (2)")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := number(t, p.DB(), "SELECT count(*) FROM t"); n != 2 {
		t.Errorf("%d rows", n)
	}
}

func TestFault_APlaceThatCannotBeOpened(t *testing.T) {
	memory := sqlite.MemoryURI(t.Name())
	var p *pool.Pool
	faults := 0
	p, path := newPool(t, pool.Options{Fault: func(error) {
		faults++
		p.Use(memory)
	}})
	m, err := sqlite.NewMemory("bot", path, memory)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	tx, err := p.DB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	do(t, tx, "CREATE TABLE t (x)")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if faults != 1 {
		t.Errorf("%d faults", faults)
	}
}

func TestFault_DoesNotOutlastTheContext(t *testing.T) {
	release := make(chan struct{})
	p, path := newPool(t, pool.Options{Fault: func(error) { <-release }})
	defer close(release)
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20e6)
	defer cancel()
	if _, err := p.DB().ExecContext(ctx, "CREATE TABLE t (x)"); err == nil {
		t.Error("a database in a directory that is gone")
	}
	if ctx.Err() == nil {
		t.Error("the statement did not wait for the report")
	}
}
