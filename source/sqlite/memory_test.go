package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// newMemory makes an empty in-memory database that stands for the one at path.
func newMemory(t testing.TB, path string) *Memory {
	t.Helper()
	m, err := NewMemory("bot", path, MemoryURI(t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// botDB is a handle as a bot gets it.
func botDB(t testing.TB, uri string) *sql.DB {
	t.Helper()
	drv, err := ownDriver()
	if err != nil {
		t.Fatal(err)
	}
	dsn, _, err := botDSN(uri, nil)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector{drv: drv, dsn: dsn})
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func execDB(t testing.TB, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func scanInt(t testing.TB, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestMemory_OneDatabaseForAllConnections(t *testing.T) {
	t.Parallel()
	m := newMemory(t, filepath.Join(t.TempDir(), "bot.db"))
	a, b := botDB(t, m.uri), botDB(t, m.uri)
	execDB(t, a, "CREATE TABLE t (x)")
	execDB(t, b, "INSERT INTO t VALUES (1)")
	if n := scanInt(t, a, "SELECT count(*) FROM t"); n != 1 {
		t.Errorf("%d rows", n)
	}
	// A writer waits for another, as on a disk.
	tx, err := a.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (2)"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := b.ExecContext(t.Context(), "INSERT INTO t VALUES (3)")
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := scanInt(t, a, "SELECT sum(x) FROM t"); n != 6 {
		t.Errorf("the sum is %d", n)
	}
}

func TestMemory_LivesAsLongAsTheSource(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	uri := MemoryURI(t.Name() + " ü?&#")
	m, err := NewMemory("bot", path, uri)
	if err != nil {
		t.Fatal(err)
	}
	first := botDB(t, uri)
	execDB(t, first, "CREATE TABLE t (x); INSERT INTO t VALUES (1)")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := botDB(t, uri)
	if n := scanInt(t, second, "SELECT count(*) FROM t"); n != 1 {
		t.Errorf("%d rows", n)
	}
	if err := errors.Join(second.Close(), m.Close()); err != nil {
		t.Fatal(err)
	}
	third := botDB(t, uri)
	if n := scanInt(t, third, "SELECT count(*) FROM sqlite_schema"); n != 0 {
		t.Error("a database of which nobody holds anything is still there")
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the real database was touched: %v", err)
	}
}

func TestLoadMemory_AnyDatabase(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE"} {
		for _, pageSize := range []int{512, 4096, 65536} {
			t.Run(fmt.Sprint(mode, pageSize), func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "bot.db")
				sourcetest.SQLite(t, path, fmt.Sprintf("PRAGMA page_size=%d; PRAGMA journal_mode=%s; PRAGMA user_version=7; %s", pageSize, mode, someRows))
				m := newMemory(t, path)
				if err := LoadMemory(t.Context(), m.uri, os.DirFS(dir), "bot.db"); err != nil {
					t.Fatal(err)
				}
				db := botDB(t, m.uri)
				if n := scanInt(t, db, "SELECT sum(x) FROM t"); n != 5050 {
					t.Errorf("the sum is %d", n)
				}
				if n := scanInt(t, db, "PRAGMA user_version"); n != 7 {
					t.Errorf("user_version is %d", n)
				}
				execDB(t, db, "INSERT INTO t VALUES (50)")

				saved := filepath.Join(dir, "saved.db")
				if err := m.Save(t.Context(), saved); err != nil {
					t.Fatal(err)
				}
				got := sourcetest.SQLite(t, saved, "SELECT sum(x) FROM t; PRAGMA page_size; PRAGMA journal_mode=WAL; PRAGMA integrity_check;")
				if want := fmt.Sprintf("5100\n%d\nwal\nok", pageSize); strings.TrimSpace(got) != want {
					t.Errorf("sqlite3 reads %q of what was saved, want %q", got, want)
				}
			})
		}
	}
}

const someRows = "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i+1 FROM n WHERE i<100) INSERT INTO t SELECT i FROM n;"

func TestLoadMemory_ReplacesWhatWasThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	sourcetest.SQLite(t, path, someRows)
	m := newMemory(t, path)
	db := botDB(t, m.uri)
	execDB(t, db, "CREATE TABLE old (x)")
	before, _, err := m.Peek()
	if err != nil {
		t.Fatal(err)
	}
	if err := LoadMemory(t.Context(), m.uri, os.DirFS(filepath.Dir(path)), "bot.db"); err != nil {
		t.Fatal(err)
	}
	if n := scanInt(t, db, "SELECT count(*) FROM sqlite_schema WHERE name='old'"); n != 0 {
		t.Error("an old table is still there")
	}
	if after, _, err := m.Peek(); after == before || err != nil {
		t.Errorf("the state is still %s, %v", after, err)
	}
}

func TestLoadMemory_Empty(t *testing.T) {
	t.Parallel()
	m := newMemory(t, "bot.db")
	if err := LoadMemory(t.Context(), m.uri, fstest.MapFS{"bot.db": {}}, "bot.db"); err != nil {
		t.Fatal(err)
	}
	execDB(t, botDB(t, m.uri), "CREATE TABLE t (x)")
}

func TestLoadMemory_Refuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	sourcetest.NewBank(t, path, "DELETE", 256<<10)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := append([]byte(nil), good...)
	copy(torn[8192:], strings.Repeat("\xff", 16384))
	tests := []struct {
		name, file string
		kind       error
	}{
		{"missing", "other.db", os.ErrNotExist},
		{"text", "text.db", holdfast.ErrRefused},
		{"torn", "torn.db", holdfast.ErrDamaged},
	}
	fsys := fstest.MapFS{
		"text.db": {Data: []byte(strings.Repeat("not a database\n", 300))},
		"torn.db": {Data: torn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory(t, path)
			err := LoadMemory(t.Context(), m.uri, fsys, tt.file)
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.file) {
				t.Errorf("got %v, want %v", err, tt.kind)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := LoadMemory(ctx, newMemory(t, path).uri, fsys, "torn.db"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled, it gives %v", err)
	}
}

// What a killed owner has committed lies in the log only.
func TestLoadMemoryFrom_BringsTheLog(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			s := startShell(t, path)
			s.run("PRAGMA journal_mode=" + mode + "; PRAGMA wal_autocheckpoint=0; " + someRows)
			s.run("BEGIN IMMEDIATE; UPDATE t SET x=0;") // not committed
			s.kill()
			m := newMemory(t, path)
			if err := LoadMemoryFrom(t.Context(), m.uri, path); err != nil {
				t.Fatal(err)
			}
			if n := scanInt(t, botDB(t, m.uri), "SELECT sum(x) FROM t"); n != 5050 {
				t.Errorf("the sum is %d", n)
			}
		})
	}
}

func TestMemory_Peek(t *testing.T) {
	t.Parallel()
	m := newMemory(t, filepath.Join(t.TempDir(), "bot.db"))
	look := func() string {
		t.Helper()
		state, settled, err := m.Peek()
		if err != nil || !settled || state == "" {
			t.Fatalf("Peek gives %q, %v, %v", state, settled, err)
		}
		return state
	}
	db := botDB(t, m.uri)
	empty := look()
	execDB(t, db, "CREATE TABLE t (x)")
	made := look()
	if made == empty || look() != made {
		t.Errorf("%s, then %s", empty, made)
	}
	scanInt(t, db, "SELECT count(*) FROM t")
	if look() != made {
		t.Error("reading changed the state")
	}
	execDB(t, db, "PRAGMA user_version=3")
	if look() == made {
		t.Error("writing did not change the state")
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if state, settled, err := m.Peek(); settled || state == made || err != nil {
		t.Errorf("beside a writer: %s, settled %v, %v", state, settled, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	look()
}

func TestMemory_Capture(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	sourcetest.NewBank(t, path, "WAL", 5<<20)
	m := newMemory(t, path)
	if err := LoadMemory(t.Context(), m.uri, os.DirFS(filepath.Dir(path)), "bot.db"); err != nil {
		t.Fatal(err)
	}
	db := botDB(t, m.uri)
	tests := []struct {
		name      string
		interfere func()
		method    string
	}{
		{"quiet", nil, "memory, in parts"},
		{"a commit", func() { execDB(t, db, "UPDATE account SET note='later'") }, "memory, locked"},
		{"it grows", func() { execDB(t, db, "CREATE TABLE more AS SELECT randomblob(3000000) AS x") }, "memory, locked"},
		{"it becomes smaller", func() { execDB(t, db, "DROP TABLE more; DROP TABLE ballast"); execDB(t, db, "VACUUM") }, "memory, locked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sink := sourcetest.NewSink(t)
			got, err := m.Capture(t.Context(), &interferingSink{sink, tt.interfere})
			if err != nil {
				t.Fatal(err)
			}
			if got.Method != tt.method || len(got.Problems) > 0 {
				t.Errorf("captured by %q with %v, want %q", got.Method, got.Problems, tt.method)
			}
			report, err := m.Check(t.Context(), sink.FS(), holdfast.CheckOptions{Full: true})
			if err != nil || len(report.Problems) > 0 || report.Facts.SQLite.QuickCheck != holdfast.CheckOK {
				t.Errorf("the copy: %+v, %v", report, err)
			}
			want := scanInt(t, db, "SELECT sum(balance) FROM account")
			if n := sourcetest.SQLite(t, sink.Path("bot.db"), "SELECT sum(balance) FROM account"); strings.TrimSpace(n) != fmt.Sprint(want) {
				t.Errorf("the balance is %s, want %d", n, want)
			}
		})
	}
	in, err := m.Inspect(t.Context(), holdfast.InspectOptions{Counts: true})
	if err != nil || !in.Exists || in.Bytes == 0 || in.Facts.SQLite.Tables["account"] == 0 {
		t.Errorf("Inspect gives %+v, %v", in, err)
	}
}

func TestMemory_SaveNamesAFullStorage(t *testing.T) {
	t.Parallel()
	m := newMemory(t, "bot.db")
	execDB(t, botDB(t, m.uri), "CREATE TABLE t (x)")
	path := filepath.Join(t.TempDir(), "gone", "bot.db")
	if err := m.Save(t.Context(), path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Save into a directory that is gone gives %v", err)
	}
}
