package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// Whatever another process commits moves the state, in every journal mode; while it
// is idle, or only reads, nothing does.
func TestPeek_SeesEveryCommit(t *testing.T) {
	t.Parallel()
	writes := []struct{ name, sql string }{
		{"insert", "INSERT INTO t VALUES(4711);"},
		{"update in place", "UPDATE t SET a = a + 1 WHERE rowid = 50;"},
		{"the same page again", "UPDATE t SET a = a + 1 WHERE rowid = 50;"},
		{"delete", "DELETE FROM t WHERE rowid = 10;"},
		{"vacuum", "VACUUM;"},
		{"checkpoint", "PRAGMA wal_checkpoint(PASSIVE); UPDATE t SET a = 0 WHERE rowid = 3;"},
		{"the log from its start", "PRAGMA wal_checkpoint(RESTART); UPDATE t SET a = 1 WHERE rowid = 3;"},
		{"the log cut", "PRAGMA wal_checkpoint(TRUNCATE); UPDATE t SET a = 2 WHERE rowid = 3;"},
		{"everything", "DELETE FROM t;"},
		{"header", "PRAGMA user_version=9;"},
		{"another journal mode", "PRAGMA journal_mode=MEMORY; INSERT INTO t VALUES(1);"},
	}
	for _, mode := range []string{"WAL", "DELETE", "TRUNCATE", "PERSIST"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "bot.db")
			owner := startShell(t, path)
			owner.run(fmt.Sprintf("PRAGMA journal_mode=%s; CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000) INSERT INTO t SELECT i FROM n;", mode))
			src := newSource(t, path, Options{})
			before := sourcetest.Settle(t, src)
			owner.run("SELECT count(*) FROM t;")
			reader := startShell(t, path)
			reader.run("SELECT count(*) FROM t;")
			reader.kill()
			if _, err := src.Inspect(t.Context(), holdfast.InspectOptions{Counts: true}); err != nil {
				t.Fatal(err)
			}
			if after := sourcetest.Settle(t, src); after != before {
				t.Error("reading moved the state")
			}
			for _, w := range writes {
				sourcetest.WantSeen(t, src, w.name, func() error { _, err := owner.try(w.sql); return err })
			}
		})
	}
}

// What is in the log when its owner is killed, and then moved into the database by
// the next to open it, is never taken for the state before.
func TestPeek_SeesARecovery(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	owner := startShell(t, path)
	owner.run("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1);")
	src := newSource(t, path, Options{})
	states := map[string]string{}
	see := func(what string) {
		t.Helper()
		state := sourcetest.Settle(t, src)
		if before, known := states[state]; known {
			t.Errorf("%s looks like %s", what, before)
		}
		states[state] = what
	}
	see("the first row")
	owner.run("INSERT INTO t VALUES(2);")
	see("the second row")
	owner.kill()
	next := startShell(t, path)
	next.run("INSERT INTO t VALUES(3);")
	see("a row of the next owner")
	next.run("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE;")
	see("a database without a log")
}

// A database behind a link is the one that is looked at; a log alone is none.
func TestPeek_FindsTheDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real := filepath.Join(dir, "real.db")
	link := filepath.Join(dir, "bot.db")
	if err := errors.Join(os.WriteFile(real+"-wal", []byte("stale"), 0o600), os.Symlink("real.db", link)); err != nil {
		t.Fatal(err)
	}
	src := newSource(t, link, Options{})
	if g := sourcetest.Peek(t, src); g.State != "" || !g.Settled {
		t.Errorf("a log without a database gives %+v", g)
	}
	sourcetest.WantSeen(t, src, "the database comes", func() error { return os.WriteFile(real, nil, 0o600) })
	sourcetest.WantSeen(t, src, "the log grows", func() error { return os.WriteFile(real+"-wal", []byte("staler"), 0o600) })
	sourcetest.WantSeen(t, src, "a journal comes", func() error { return os.WriteFile(real+"-journal", []byte("hot"), 0o600) })
	sourcetest.WantSeen(t, src, "another database is linked", func() error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "other.db"), []byte("x"), 0o600), os.Remove(link), os.Symlink("other.db", link))
	})
	below := newSource(t, filepath.Join(real, "deep.db"), Options{})
	if g := sourcetest.Peek(t, below); g.State != "" || !g.Settled {
		t.Errorf("below a file: %+v", g)
	}
}
