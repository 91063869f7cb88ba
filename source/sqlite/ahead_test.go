package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// A draft is current until anything is written, however small, and the draft
// of a quiet database is the database.
func TestLive_DraftIsCurrentUntilSomebodyWrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	sourcetest.SQLite(t, path, "CREATE TABLE t(x); INSERT INTO t VALUES(1);")
	ctx := t.Context()
	l, err := OpenLive(ctx, path, LiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sink := sourcetest.NewSink(t)
	w, err := sink.Create(holdfast.Entry{Path: "a.db", Mode: 0o644})
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.CopyAhead(ctx, w)
	if err != nil || d == nil {
		t.Fatalf("CopyAhead = %v, %v", d, err)
	}
	current := func() bool {
		t.Helper()
		if err := l.Begin(ctx); err != nil {
			t.Fatal(err)
		}
		ok, err := l.IsCurrent(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.End(); err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if ok, err := l.IsCurrent(d); ok || err != nil {
		t.Errorf("outside a transaction: %v, %v", ok, err)
	}
	if !current() {
		t.Error("nobody wrote, and the draft is not current")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(sink.Path("a.db"))
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.ReadFile(path); err != nil || string(got) != string(want) {
		t.Errorf("the draft differs from the file (%v)", err)
	}
	sourcetest.SQLite(t, path, "UPDATE t SET x = 2;")
	if current() {
		t.Error("somebody wrote, and the draft is still current")
	}
}

// In WAL mode the file alone is not the database.
func TestLive_NoDraftOfAWAL(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	sourcetest.SQLite(t, path, "PRAGMA journal_mode=wal; CREATE TABLE t(x);")
	l, err := OpenLive(t.Context(), path, LiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if d, err := l.CopyAhead(t.Context(), nil); d != nil || err != nil {
		t.Errorf("CopyAhead = %v, %v, want nothing", d, err)
	}
}
