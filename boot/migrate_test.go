package boot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/holdfast-backup/holdfast"
)

// migrations makes SQL files of statements, numbered from 1.
func migrations(statements ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	names := []string{"00001_users.sql", "00002_blocked.sql", "00003_tracking.sql", "00004_more.sql"}
	for i, s := range statements {
		fsys[names[i]] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + s + "\n")}
	}
	return fsys
}

const (
	first  = "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT);"
	second = "ALTER TABLE users ADD COLUMN blocked_until INTEGER;"
	broken = "CREATE TABLE tracking(id INTEGER PRIMARY KEY); INSERT INTO missing VALUES(1);"
)

func TestMigrations_RunOnceAndAreBackedUpBefore(t *testing.T) {
	w := newWorld(t)
	w.o.Migrations = migrations(first)
	s := w.start()
	m := s.Status().Sources[0].Migration
	if m == nil || m.From != 0 || m.To != 1 || len(m.Applied) != 1 || m.Backup != "" {
		t.Errorf("on a new database: %+v", m)
	}
	fill(t, s.DB(), 3)
	w.close(s)

	w.o.Migrations = migrations(first, second)
	s = w.start()
	m = s.Status().Sources[0].Migration
	if m == nil || m.From != 1 || m.To != 2 || m.Backup == "" {
		t.Fatalf("one more: %+v", m)
	}
	if n := number(t, s.DB(), "SELECT count(*) FROM users WHERE blocked_until IS NULL"); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
	w.close(s)

	w.o.Migrations = nil
	s = w.start()
	if m := s.Status().Sources[0].Migration; m != nil {
		t.Errorf("without migrations: %+v", m)
	}
	w.close(s)

	w.o.Migrations = migrations(first)
	s = w.start()
	if m := s.Status().Sources[0].Migration; m == nil || m.To != 2 || len(s.Status().Problems) == 0 {
		t.Errorf("a database from the future: %+v, %+v", m, s.Status().Problems)
	}
}

// A migration that fails in the middle of several files leaves the state before.
func TestMigrations_AFailureRestoresTheStateBefore(t *testing.T) {
	for _, repository := range []string{"works", "cannot be reached"} {
		t.Run("repository "+repository, func(t *testing.T) {
			w := newWorld(t)
			w.o.Migrations = migrations(first)
			s := w.start()
			fill(t, s.DB(), 7)
			w.close(s)
			if repository != "works" {
				w.unreachable()
			}
			w.o.Migrations = migrations(first, second, broken)
			err := w.fails()
			for _, want := range []string{"00003_tracking.sql", "no such table", "state before the migrations is in place"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
			if holdfast.HintOf(err) == "" {
				t.Error("the error says not what to do")
			}
			if left, _ := filepath.Glob(filepath.Join(w.dir, "data", "*before*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}

			w.o.Migrations = migrations(first)
			s = w.start()
			if m := s.Status().Sources[0].Migration; m.To != 1 {
				t.Errorf("the database is at version %d, want 1", m.To)
			}
			if n := number(t, s.DB(), "SELECT count(*) FROM pragma_table_info('users')"); n != 2 {
				t.Errorf("users has %d columns, want the 2 from before", n)
			}
			if n := rows(t, s); n != 7 {
				t.Errorf("%d rows, want 7", n)
			}
		})
	}
}

func TestMigrations_AFailureOnANewDatabaseLeavesNone(t *testing.T) {
	w := newWorld(t)
	w.o.Migrations = migrations(first, broken)
	w.fails()
	if _, err := os.Stat(w.o.Database); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database was left: %v", err)
	}
	w.o.Migrations = migrations(first)
	if d := decision(t, w.start()); d.Action != holdfast.StartNew {
		t.Errorf("the next start: %+v", d)
	}
}

func TestMigrations_ThatAreNone(t *testing.T) {
	w := newWorld(t)
	for name, o := range map[string]Options{
		"empty":     {Migrations: fstest.MapFS{}},
		"no folder": {Migrations: migrations(first), MigrationsDir: "sql"},
		"no form":   {Migrations: fstest.MapFS{"00001_x.sql": {Data: []byte("CREATE TABLE t(x);")}}},
	} {
		w.o.Migrations, w.o.MigrationsDir = o.Migrations, o.MigrationsDir
		if err := w.fails(); !errors.Is(err, holdfast.ErrUsage) && name != "no form" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
