package sqlite

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// posixChild tells a process of these tests to be an application that had a
// database open before it first used this package.
const posixChild = "HOLDFAST_TEST_POSIX_LOCKS"

// An application that embeds holdfast may have opened its database with POSIX
// locks. They would be lost at any close of the file in the process, so it
// must not be opened outside SQLite then.
func TestSource_InAProcessThatUsesPOSIXLocks(t *testing.T) {
	t.Parallel()
	if os.Getenv(posixChild) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSource_InAProcessThatUsesPOSIXLocks$", "-test.v")
		cmd.Env = append(os.Environ(), posixChild+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestSource_InAProcessThatUsesPOSIXLocks/DELETE") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "bot.db")
			bank := sourcetest.NewBank(t, path, mode, 1<<20)
			before := sourcetest.Fingerprint(t, dir)
			own, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer own.Close()
			tx, err := own.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var rows int64
			if err := tx.QueryRow("SELECT count(*) FROM account").Scan(&rows); err != nil {
				t.Fatal(err)
			}
			if plainReads() {
				t.Fatal("the file may be opened although the process uses POSIX locks")
			}
			src := newSource(t, path, Options{})
			got, sink := captureNow(t, src)
			if _, err := src.Inspect(t.Context(), holdfast.InspectOptions{Counts: true}); err != nil {
				t.Fatal(err)
			}
			other := startShell(t, path)
			if _, err := other.try(".timeout 0\nUPDATE account SET balance=0;"); (err != nil) != (mode == "DELETE") {
				t.Errorf("another process writes beside our transaction: %v", err)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			if err := own.Close(); err != nil {
				t.Fatal(err)
			}
			other.kill()
			if mode == "DELETE" {
				sameFiles(t, before, sourcetest.Fingerprint(t, dir))
			}
			bank.Check(t, sink.Path("bot.db"))
			if got.Facts.SQLite.JournalMode == "" || len(got.Problems) > 0 {
				t.Errorf("got %+v", got)
			}
			report, err := src.Check(t.Context(), sink.FS(), holdfast.CheckOptions{})
			if err != nil || len(report.Problems) > 0 {
				t.Errorf("check: %+v, %v", report, err)
			}
		})
	}
}

func TestCapture_ThroughSQLiteLeavesNoLogBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "bot.db")
	sourcetest.NewBank(t, path, "WAL", 1<<20)
	before := sourcetest.Fingerprint(t, dir)
	l, err := OpenLive(t.Context(), path, LiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, begin := range []func() error{
		func() error { return l.Begin(t.Context()) },
		func() error { return l.BeginImmediate(t.Context()) },
	} {
		if err := begin(); err != nil {
			t.Fatal(err)
		}
		if err := l.End(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	sameFiles(t, before, sourcetest.Fingerprint(t, dir))
}
