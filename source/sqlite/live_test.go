package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

func TestLive_ReadTransactionIsOneInstant(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			owner := startShell(t, path)
			owner.run("PRAGMA journal_mode=" + mode + "; CREATE TABLE t(a); INSERT INTO t VALUES(1);\n.timeout 0")
			l := openLive(t, path)
			if err := l.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := owner.try("INSERT INTO t VALUES(2);")
			if blocked := err != nil && strings.Contains(err.Error(), "locked"); blocked != (mode == "DELETE") {
				t.Errorf("a writer beside a read transaction: %v", err)
			}
			var rows int
			if err := l.Conn().QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&rows); err != nil || rows != 1 {
				t.Errorf("the transaction sees %d rows, %v", rows, err)
			}
			if err := l.End(); err != nil {
				t.Fatal(err)
			}
			if held := l.Held() > 0; held != (mode == "DELETE") {
				t.Errorf("a lock against writers was held for %v", l.Held())
			}
			owner.run("INSERT INTO t VALUES(3);")
		})
	}
}

func TestLive_BeginImmediateKeepsWritersOutAndReadersIn(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			owner := startShell(t, path)
			owner.run("PRAGMA journal_mode=" + mode + "; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a); INSERT INTO t VALUES(1);\n.timeout 0")
			before := sourcetest.Fingerprint(t, path)
			l := openLive(t, path)
			for range 2 {
				if err := l.BeginImmediate(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := owner.try("INSERT INTO t VALUES(2);"); err == nil {
					t.Error("a writer was not kept out")
				}
				if got := owner.run("SELECT count(*) FROM t;"); got != "1" {
					t.Errorf("a reader sees %s rows", got)
				}
				sink := sourcetest.NewSink(t)
				w, err := sink.Create(holdfast.Entry{Path: "copy.db"})
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(l.Copy(t.Context(), w, nil), w.Close(), l.End()); err != nil {
					t.Fatal(err)
				}
				if n := sourcetest.SQLiteInt(t, sink.Path("copy.db"), "SELECT count(*) FROM t"); n != 1 {
					t.Errorf("the copy has %d rows", n)
				}
			}
			if l.Held() <= 0 {
				t.Error("the time for which writers were kept out is not told")
			}
			if fmt.Sprint(before) != fmt.Sprint(sourcetest.Fingerprint(t, path)) {
				t.Error("the database was changed")
			}
			owner.run("INSERT INTO t VALUES(2);")
		})
	}
}

// Closing any descriptor of the database in this process must not drop the
// lock of a transaction.
func TestLive_LockSurvivesAnotherCloseOfTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	owner := startShell(t, path)
	owner.run("CREATE TABLE t(a);\n.timeout 0")
	l := openLive(t, path)
	if err := l.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if plainReads() {
		if _, err := os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := owner.try("INSERT INTO t VALUES(1);"); err == nil {
		t.Error("another process wrote through a held lock")
	}
	if err := l.End(); err != nil {
		t.Fatal(err)
	}
}

func TestLive_NamesWhoHoldsTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	owner := startShell(t, path)
	owner.run("CREATE TABLE t(a); BEGIN EXCLUSIVE;")
	l, err := OpenLive(t.Context(), path, LiveOptions{Wait: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := "another process"
	if runtime.GOOS == "linux" {
		want = fmt.Sprintf("process %d (sqlite3)", owner.cmd.Process.Pid)
	}
	wantError(t, l.Begin(t.Context()), holdfast.ErrLocked, want)
}

func TestLive_WaitEndsWhenItIsCancelled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	startShell(t, path).run("CREATE TABLE t(a); BEGIN EXCLUSIVE;")
	l := openLive(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := l.Begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it to be cancelled", err)
	}
}

func TestLive_NoticesThatTheFileWasReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, other := filepath.Join(dir, "bot.db"), filepath.Join(dir, "new.db")
	sourcetest.SQLite(t, path, "CREATE TABLE t(a);")
	sourcetest.SQLite(t, other, "CREATE TABLE t(a);")
	l := openLive(t, path)
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if err := l.Begin(t.Context()); plainReads() && !errors.Is(err, errReplaced) {
		t.Errorf("got %v, want to be told of the other file", err)
	}
}

func TestOpenLive_SaysWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := []struct {
		path string
		kind error
		text string
	}{
		{filepath.Join(dir, "missing.db"), fs.ErrNotExist, "no such file"},
		{dir, holdfast.ErrUsage, "is a directory"},
	}
	for _, tt := range tests {
		_, err := OpenLive(t.Context(), tt.path, LiveOptions{})
		wantError(t, err, tt.kind, tt.text)
	}
	wantError(t, openError("bot.db", &fs.PathError{Op: "open", Path: "bot.db", Err: fs.ErrPermission}), fs.ErrPermission, "no permission")
}

func TestInspect_CountsWithoutBlockingAnyone(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			owner := startShell(t, path)
			owner.run("PRAGMA journal_mode=" + mode + "; CREATE TABLE t(a); INSERT INTO t VALUES(1),(2);")
			src := newSource(t, path, Options{})
			got, err := src.Inspect(t.Context(), holdfast.InspectOptions{Counts: true})
			if err != nil {
				t.Fatal(err)
			}
			if f := got.Facts.SQLite; !got.Exists || f.Rows == nil || *f.Rows != 2 || got.Bytes != f.PageCount*int64(f.PageSize) {
				t.Errorf("got %+v with %+v", got, f)
			}
			if got, err := src.Inspect(t.Context(), holdfast.InspectOptions{}); err != nil || !got.Exists || got.Bytes == 0 || got.Facts.SQLite.Rows != nil {
				t.Errorf("without counts: %+v with %+v, %v", got, got.Facts.SQLite, err)
			}
			// A writer at work does not make an inspection fail.
			owner.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(3);")
			if got, err := src.Inspect(t.Context(), holdfast.InspectOptions{Counts: true}); err != nil || !got.Exists {
				t.Errorf("beside a writer: %+v, %v", got, err)
			}
		})
	}
}
