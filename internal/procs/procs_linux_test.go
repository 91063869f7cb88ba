package procs

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/procs/procstest"
)

func TestMain(m *testing.M) { procstest.Main(m) }

func write(t *testing.T, name string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func pids(t *testing.T, paths ...string) map[int]string {
	t.Helper()
	scan, err := Holding(t.Context(), paths)
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for _, h := range scan.Handles {
		if h.Command == "" {
			t.Errorf("process %d has no name", h.PID)
		}
		found[h.PID] = h.Path
	}
	return found
}

func TestHolding_NamesTheProcessAndItsFile(t *testing.T) {
	dir := t.TempDir()
	db := write(t, filepath.Join(dir, "data ข้อมูล", "chroma.sqlite3"))
	beside := write(t, filepath.Join(dir, "data ข้อมูล2", "chroma.sqlite3"))
	pid, release := procstest.Hold(t, db)
	if got := pids(t, filepath.Dir(db))[pid]; got != db {
		t.Errorf("searching the directory gave %q, want %q", got, db)
	}
	if got := pids(t, db)[pid]; got != db {
		t.Errorf("searching the file gave %q, want %q", got, db)
	}
	if got, ok := pids(t, filepath.Dir(beside))[pid]; ok {
		t.Errorf("a directory whose name only begins alike gave %q", got)
	}
	release()
	if got, ok := pids(t, db)[pid]; ok {
		t.Errorf("after its end the process still holds %q", got)
	}
}

func TestHolding_FindsDeletedRenamedAndLinkedFiles(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, dir, db string) (search string){
		"deleted": func(t *testing.T, dir, db string) string {
			if err := os.Remove(db); err != nil {
				t.Fatal(err)
			}
			return db
		},
		"replaced": func(t *testing.T, dir, db string) string {
			next := write(t, filepath.Join(dir, "next"))
			if err := os.Rename(next, db); err != nil {
				t.Fatal(err)
			}
			return db
		},
		"directory renamed": func(t *testing.T, dir, db string) string {
			if err := os.Rename(filepath.Dir(db), filepath.Join(dir, "other")); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "other")
		},
		"hard link elsewhere": func(t *testing.T, dir, db string) string {
			if err := os.Link(db, filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "link")
		},
		"through a symbolic link": func(t *testing.T, dir, db string) string {
			if err := os.Symlink(db, filepath.Join(dir, "symlink")); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "symlink")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db := write(t, filepath.Join(dir, "data", "bot.db"))
			pid, _ := procstest.Hold(t, db)
			search := change(t, dir, db)
			if _, ok := pids(t, search)[pid]; !ok {
				t.Errorf("process %d was not found", pid)
			}
		})
	}
}

func TestHolding_StopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Holding(ctx, []string{t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// A child has the files of this process until it has become the program that it is to
// be: that is nobody who holds them.
func TestHolding_NoChildThatHasNotBegun(t *testing.T) {
	db := write(t, filepath.Join(t.TempDir(), "bot.db"))
	f, err := os.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var children sync.WaitGroup
	defer children.Wait()
	defer cancel()
	for range 3 {
		children.Go(func() {
			for ctx.Err() == nil {
				if err := exec.CommandContext(ctx, "true").Run(); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	for range 40 {
		for pid, path := range pids(t, db) {
			if pid != os.Getpid() {
				t.Fatalf("process %d is said to hold %s", pid, path)
			}
		}
	}
}
