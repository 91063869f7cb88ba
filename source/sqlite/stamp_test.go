package sqlite

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// wantReuse wants the database to be taken over whole from the last capture, or
// not, and gives the new capture.
func wantReuse(t *testing.T, s *Source, last *sourcetest.Sink, want int) *sourcetest.Sink {
	t.Helper()
	got, sink := sourcetest.Again(t, s, last)
	if last != nil && sink.Reused() != want {
		t.Errorf("reused %d times, want %d (%s)", sink.Reused(), want, got.Method)
	}
	if sink.Reused() > 0 && (got.Method != "unchanged" || got.Stall != 0) {
		t.Errorf("a capture that read nothing says %q and a stall of %v", got.Method, got.Stall)
	}
	return sink
}

// An owner that has the database open and idle costs no reading, in any journal
// mode, and neither does what a capture itself does to the files.
func TestCapture_ReadsNothingWhileTheOwnerIsIdle(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE", "TRUNCATE", "PERSIST"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "bot.db")
			owner := startShell(t, path)
			owner.run(fmt.Sprintf("PRAGMA journal_mode=%s; CREATE TABLE t(a); INSERT INTO t VALUES(1);", mode))
			src := newSource(t, path, Options{})
			first := sourcetest.Stamped(t, src)
			second := wantReuse(t, src, first, 1)
			owner.run("SELECT * FROM t;")
			third := wantReuse(t, src, second, 1)
			owner.run("INSERT INTO t VALUES(2);")
			fourth := wantReuse(t, src, third, 0)
			if n := sourcetest.SQLiteInt(t, fourth.Path("bot.db"), "SELECT count(*) FROM t"); n != 2 {
				t.Errorf("%d rows, want 2", n)
			}
		})
	}
}

// Whatever is done to a database, its capture is what it holds then.
func TestCapture_ReadsEveryChange(t *testing.T) {
	t.Parallel()
	steps := []struct{ name, sql string }{
		{"commit", "UPDATE t SET a = a + 1 WHERE rowid = 50;"},
		{"checkpoint", "PRAGMA wal_checkpoint(TRUNCATE);"},
		{"commit of the same size", "UPDATE t SET a = a + 1 WHERE rowid = 51;"},
		{"vacuum", "VACUUM;"},
		{"a row less", "DELETE FROM t WHERE rowid = 10;"},
		{"a table", "CREATE TABLE u(x); DROP TABLE u;"},
		{"header", "PRAGMA user_version=9;"},
	}
	const state = "SELECT sum(a), count(*), (SELECT * FROM pragma_user_version) FROM t;"
	for _, mode := range []string{"WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY"} {
		for _, open := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, owner stays %v", mode, open), func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "bot.db")
				run := func(sql string) { sourcetest.SQLite(t, path, sql) }
				if open {
					owner := startShell(t, path)
					run = func(sql string) { owner.run(sql) }
				}
				run(fmt.Sprintf(`PRAGMA journal_mode=%s; CREATE TABLE t(a);
					WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000) INSERT INTO t SELECT i FROM n;`, mode))
				src := newSource(t, path, Options{})
				last := sourcetest.Stamped(t, src)
				for _, s := range steps {
					run(s.sql)
					_, last = sourcetest.Again(t, src, last)
					want := sourcetest.SQLite(t, path, state)
					if got := sourcetest.SQLite(t, last.Path("bot.db"), state); got != want {
						t.Fatalf("after %s the copy holds %q, want %q", s.name, got, want)
					}
				}
			})
		}
	}
}

// An older copy that comes back with its old times is another file.
func TestCapture_ReadsAnOldCopyThatCameBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, old := filepath.Join(dir, "bot.db"), filepath.Join(dir, "old.db")
	sourcetest.SQLite(t, path, "CREATE TABLE t(a); INSERT INTO t VALUES(1);")
	src := newSource(t, path, Options{})
	first := sourcetest.Stamped(t, src)
	copyKeeping(t, path, old)
	sourcetest.SQLite(t, path, "UPDATE t SET a = 2;")
	second := wantReuse(t, src, first, 0)
	copyKeeping(t, old, path)
	for _, last := range []*sourcetest.Sink{first, second} {
		back := wantReuse(t, src, last, 0)
		if a := sourcetest.SQLiteInt(t, back.Path("bot.db"), "SELECT a FROM t"); a != 1 {
			t.Errorf("a = %d, want 1", a)
		}
	}
}

// copyKeeping copies as a careful person does.
func copyKeeping(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-p", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
}

// What a killed owner left in the log belongs to the database.
func TestCapture_KnowsTheLogOfAKilledOwner(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	owner := startShell(t, path)
	owner.run("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1);")
	if err := owner.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	owner.cmd.Wait()
	src := newSource(t, path, Options{})
	last := wantReuse(t, src, sourcetest.Stamped(t, src), 1)
	if err := os.Remove(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	without := wantReuse(t, src, last, 0)
	if got := sourcetest.SQLite(t, without.Path("bot.db"), "SELECT count(*) FROM sqlite_master"); got != "0\n" {
		t.Errorf("without its log the database has %q tables in the copy, want none", got)
	}
}

// Problems are told with every backup, so a database that has any is read again.
func TestCapture_ReadsDamageAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	sourcetest.SQLite(t, path, "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(9000));")
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	src := newSource(t, path, Options{})
	first, sink := sourcetest.Again(t, src, nil)
	time.Sleep(2 * settleAge)
	second, again := sourcetest.Again(t, src, sink)
	if len(first.Problems) == 0 || len(second.Problems) == 0 || again.Reused() > 0 {
		t.Errorf("problems %v, then %v; reused %d", first.Problems, second.Problems, again.Reused())
	}
}

// Pairs of captures while others write at full speed, or rest for about as long
// as a capture takes: what is reused must be what is there.
func TestCapture_NeverReusesAnOldInstant(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE", "TRUNCATE", "PERSIST"} {
		for _, pause := range []time.Duration{0, 120 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s, pause %v", mode, pause), func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "bot.db")
				bank := sourcetest.NewBank(t, path, mode, 256<<10)
				bank.Pause = pause
				stop := bank.Busy(t, 1)
				src := newSource(t, path, Options{})
				const count = "SELECT count(*) FROM transfer"
				var last *sourcetest.Sink
				reused := 0
				for range captures / 2 {
					before := sourcetest.SQLiteInt(t, path, count)
					_, sink := sourcetest.Again(t, src, last)
					bank.Check(t, sink.Path("bot.db"))
					if got := sourcetest.SQLiteInt(t, sink.Path("bot.db"), count); got < before {
						t.Fatalf("the copy has %d transfers, %d were committed before it began", got, before)
					}
					last, reused = sink, reused+sink.Reused()
				}
				t.Logf("%d transactions, %d captures reused", stop(), reused)
			})
		}
	}
}

// A commit that follows a capture at once, often within the same tick of file
// times, is in the next.
func TestCapture_SeesACommitRightAfterTheLast(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE", "TRUNCATE", "PERSIST"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "bot.db")
			owner := startShell(t, path)
			// The same few pages of file and log again and again.
			owner.run(fmt.Sprintf("PRAGMA journal_mode=%s; PRAGMA wal_autocheckpoint=1; CREATE TABLE t(a); INSERT INTO t VALUES(0);", mode))
			src := newSource(t, path, Options{})
			var last *sourcetest.Sink
			for i := range int64(30) {
				owner.run(fmt.Sprintf("UPDATE t SET a = %d;", i))
				_, sink := sourcetest.Again(t, src, last)
				if i%2 == 0 {
					_, sink = sourcetest.Again(t, src, sink)
				}
				if a := sourcetest.SQLiteInt(t, sink.Path("bot.db"), "SELECT a FROM t"); a != i {
					t.Fatalf("a = %d, want %d", a, i)
				}
				last = sink
			}
		})
	}
}
