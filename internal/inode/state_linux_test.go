package inode_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/inode"
)

// stampOf gives the stamp of a file as a look at it finds it.
func stampOf(t *testing.T, name string, more ...string) string {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return new(inode.Stamper).Stamp(inode.StateOf(info), more...)
}

func TestStamper_EveryChangeMovesTheStamp(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	for what, change := range map[string]func() error{
		"a byte in place": func() error { return os.WriteFile(name, []byte("B"), 0o600) },
		"permissions":     func() error { return os.Chmod(name, 0o640) },
		"another name":    func() error { return os.Link(name, name+"-link") },
		"another file": func() error {
			return errors.Join(os.WriteFile(name+"-new", []byte("A"), 0o600), os.Rename(name+"-new", name))
		},
	} {
		t.Run(what, func(t *testing.T) {
			if err := os.WriteFile(name, []byte("A"), 0o600); err != nil {
				t.Fatal(err)
			}
			old := time.Unix(1700000000, 5)
			time.Sleep(20 * time.Millisecond)
			if err := os.Chtimes(name, old, old); err != nil {
				t.Fatal(err)
			}
			before := stampOf(t, name)
			if before == "" || before != stampOf(t, name) || before == stampOf(t, name, "more") {
				t.Fatalf("stamp %q, again %q, with more %q", before, stampOf(t, name), stampOf(t, name, "more"))
			}
			time.Sleep(20 * time.Millisecond)
			if err := errors.Join(change(), os.Chtimes(name, old, old)); err != nil {
				t.Fatal(err)
			}
			if after := stampOf(t, name); after == before {
				t.Error("the change does not show")
			}
		})
	}
}

// Times of whole seconds, or none, name nothing.
func TestStamper_IsSilentWithoutTimes(t *testing.T) {
	var p inode.Stamper
	now := time.Now()
	for what, s := range map[string]inode.State{
		"whole seconds":  {Number: 5, Size: 1, Mtime: now, Ctime: time.Unix(now.Unix(), 0)},
		"no change time": {Number: 5, Size: 1, Mtime: now},
		"no number":      {Size: 1, Mtime: now, Ctime: time.Unix(now.Unix(), 7)},
	} {
		if got := p.Stamp(s); got != "" {
			t.Errorf("%s: stamp %q", what, got)
		}
	}
}

// What Clock says is what files get: neither runs ahead of a file that is changed
// after it was read, however young the file is.
func TestClock_IsTheTimeOfFiles(t *testing.T) {
	f := sparse(t)
	for range 200 {
		now := inode.Clock()
		if _, err := f.WriteAt([]byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		s := inode.StateOf(info)
		if s.Changed().Before(now) || s.Rested(now, time.Nanosecond) {
			t.Fatalf("written after %v, changed at %v", now, s.Changed())
		}
	}
}

func TestAwait_TakesEmptyAndSparseFiles(t *testing.T) {
	empty, err := os.Create(filepath.Join(t.TempDir(), "empty"))
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if err := errors.Join(inode.Await(empty, inode.Mappings), inode.Await(sparse(t), inode.Mappings)); err != nil {
		t.Error(err)
	}
}

// File systems that answer out of a program's head are not trusted.
func TestShowsWrites_TrustsOnlyDisks(t *testing.T) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if inode.ShowsWrites(f, inode.Calls) {
		t.Error("/proc is trusted")
	}
}
