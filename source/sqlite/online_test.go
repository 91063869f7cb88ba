package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// kept is a table whose content tells the restored state from the one it
// replaces.
const keptRows = "SELECT group_concat(a, ' ') FROM kept;"

func makeKept(t testing.TB, path, mode string, pageSize int, rows string) {
	t.Helper()
	sourcetest.SQLite(t, path, fmt.Sprintf(`PRAGMA page_size=%d; PRAGMA journal_mode=%s;
		CREATE TABLE kept(a); INSERT INTO kept VALUES%s;
		CREATE TABLE filler(b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500) INSERT INTO filler SELECT randomblob(3000) FROM n;`,
		pageSize, mode, rows))
}

func TestRestoreOnline_OpenConnectionsGoOn(t *testing.T) {
	t.Parallel()
	for _, live := range []string{"WAL", "DELETE"} {
		for _, backup := range []string{"WAL", "DELETE"} {
			t.Run("live "+live+", backup "+backup, func(t *testing.T) {
				dir := t.TempDir()
				path, staged := filepath.Join(dir, "bot.db"), filepath.Join(dir, "staged.db")
				makeKept(t, staged, backup, 4096, "('old'),('data')")
				makeKept(t, path, live, 4096, "('new')")
				sourcetest.SQLite(t, path, "CREATE TABLE later(x); INSERT INTO later VALUES(1);")
				before := sourcetest.Fingerprint(t, staged)

				reader, writer := startShell(t, path), startShell(t, path)
				if got := reader.run(keptRows); got != "new" {
					t.Fatalf("before the restore a reader sees %q", got)
				}
				writer.run("INSERT INTO later VALUES(2);")

				var last, total int64
				err := newSource(t, path, Options{}).RestoreOnline(t.Context(), staged, func(d, n int64) { last, total = d, n })
				if err != nil {
					t.Fatal(err)
				}
				if last == 0 || last != total {
					t.Errorf("progress ended at %d of %d", last, total)
				}
				if got := reader.run(keptRows); got != "old data" {
					t.Errorf("after the restore an open reader sees %q", got)
				}
				if got := writer.run("INSERT INTO kept VALUES('more');" + keptRows); got != "old data more" {
					t.Errorf("after the restore an open writer sees %q", got)
				}
				if got := writer.run("SELECT count(*) FROM sqlite_schema WHERE name='later';"); got != "0" {
					t.Errorf("a table that is not in the backup is still there")
				}
				if got := reader.run("PRAGMA journal_mode;"); !strings.EqualFold(got, live) {
					t.Errorf("the journal mode is now %q, was %q", got, live)
				}
				if got := reader.run("PRAGMA integrity_check;"); got != "ok" {
					t.Errorf("integrity_check: %s", got)
				}
				if fmt.Sprint(before) != fmt.Sprint(sourcetest.Fingerprint(t, staged)) {
					t.Error("the staged copy was changed")
				}
			})
		}
	}
}

func TestRestoreOnline_AmongBusyWriters(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			bank := sourcetest.NewBank(t, path, mode, 4<<20)
			src := newSource(t, path, Options{})
			_, sink := captureNow(t, src)
			stop := bank.Busy(t, 2)
			for range 3 {
				if err := src.RestoreOnline(t.Context(), sink.Path("bot.db"), nil); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			bank.Check(t, path)
		})
	}
}

func TestRestoreOnline_KeepsTheSnapshotOfARunningReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, staged := filepath.Join(dir, "bot.db"), filepath.Join(dir, "staged.db")
	makeKept(t, staged, "DELETE", 4096, "('old')")
	makeKept(t, path, "WAL", 4096, "('new')")
	reader := startShell(t, path)
	reader.run("BEGIN; " + keptRows)
	if err := newSource(t, path, Options{}).RestoreOnline(t.Context(), staged, nil); err != nil {
		t.Fatal(err)
	}
	if got := reader.run(keptRows); got != "new" {
		t.Errorf("inside its transaction the reader sees %q", got)
	}
	if got := reader.run("COMMIT; " + keptRows); got != "old" {
		t.Errorf("after its transaction the reader sees %q", got)
	}
}

func TestRestoreOnline_RefusesOrFailsWithoutTouchingAnything(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(t *testing.T, path, staged string)
		want    error
		text    string
	}{
		{"pages of another size, WAL", func(t *testing.T, path, staged string) {
			makeKept(t, path, "WAL", 4096, "('new')")
			makeKept(t, staged, "DELETE", 8192, "('old')")
		}, holdfast.ErrRefused, "pages of 4096 bytes"},
		{"pages of another size, rollback", func(t *testing.T, path, staged string) {
			makeKept(t, path, "DELETE", 4096, "('new')")
			makeKept(t, staged, "DELETE", 1024, "('old')")
		}, holdfast.ErrRefused, "pages of 4096 bytes"},
		{"locked for long", func(t *testing.T, path, staged string) {
			makeKept(t, path, "DELETE", 4096, "('new')")
			makeKept(t, staged, "DELETE", 4096, "('old')")
			startShell(t, path).run("BEGIN IMMEDIATE;")
		}, holdfast.ErrLocked, "locked by"},
		{"written for long", func(t *testing.T, path, staged string) {
			makeKept(t, path, "WAL", 4096, "('new')")
			makeKept(t, staged, "DELETE", 4096, "('old')")
			startShell(t, path).run("BEGIN IMMEDIATE;")
		}, holdfast.ErrLocked, "locked by"},
		{"staged file is no database", func(t *testing.T, path, staged string) {
			makeKept(t, path, "DELETE", 4096, "('new')")
			if err := os.WriteFile(staged, []byte(strings.Repeat("text ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, holdfast.ErrRefused, "is text"},
		{"staged file is empty", func(t *testing.T, path, staged string) {
			makeKept(t, path, "DELETE", 4096, "('new')")
			if err := os.WriteFile(staged, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, holdfast.ErrRefused, "empty file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path, staged := filepath.Join(dir, "bot.db"), filepath.Join(dir, "staged.db")
			tt.prepare(t, path, staged)
			before := sourcetest.Fingerprint(t, path)
			err := newSource(t, path, Options{Wait: 100 * time.Millisecond}).RestoreOnline(t.Context(), staged, nil)
			wantError(t, err, tt.want, tt.text)
			if fmt.Sprint(before) != fmt.Sprint(sourcetest.Fingerprint(t, path)) {
				t.Error("the live database was changed")
			}
		})
	}
}

func TestRestoreOnline_NeedsALiveDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	staged := filepath.Join(dir, "staged.db")
	makeKept(t, staged, "DELETE", 4096, "('old')")
	err := newSource(t, filepath.Join(dir, "bot.db"), Options{}).RestoreOnline(t.Context(), staged, nil)
	wantError(t, err, holdfast.ErrRefused, "no live database")
}

func TestRestoreOnline_CancelledHalfwayLeavesTheLiveDatabase(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			path, staged := filepath.Join(dir, "bot.db"), filepath.Join(dir, "staged.db")
			bank := sourcetest.NewBank(t, path, mode, 1<<20)
			sourcetest.NewBank(t, staged, mode, 12<<20)
			size := sourcetest.SQLiteInt(t, path, "PRAGMA page_count")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := newSource(t, path, Options{}).RestoreOnline(ctx, staged, func(done, total int64) {
				if done < total {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want it to be cancelled", err)
			}
			bank.Check(t, path)
			if got := sourcetest.SQLiteInt(t, path, "PRAGMA page_count"); got != size {
				t.Errorf("the database had %d pages and now has %d", size, got)
			}
		})
	}
}

func TestComparer_FindsEveryDifferenceButTheKeptFields(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	makeKept(t, path, "DELETE", 512, "('a')")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kept := map[int]bool{}
	for _, f := range keptFields {
		for i := f.from; i < f.to; i++ {
			kept[i] = true
		}
	}
	want = want[:4096]
	for i := range want {
		got := bytes.Clone(want)
		got[i] ^= 1
		c := &comparer{want: bytes.NewReader(want), size: int64(len(want))}
		_, err := c.Write(got)
		if differs := errors.Is(err, errDiffers); differs == kept[i] {
			t.Fatalf("a change of byte %d: %v", i, err)
		}
	}
	c := &comparer{want: bytes.NewReader(want), size: int64(len(want))}
	if _, err := io.Copy(c, strings.NewReader(string(want)+"more")); !errors.Is(err, errDiffers) {
		t.Errorf("a longer file is the same: %v", err)
	}
}
