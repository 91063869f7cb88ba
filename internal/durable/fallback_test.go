//go:build unix

package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Fallbacks for systems and kernels that lack the better call; here they are
// called directly.

func TestRenameUnlessThere(t *testing.T) {
	dir := t.TempDir()
	a, b, c := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	if err := errors.Join(os.WriteFile(a, []byte("A"), 0o600), os.Symlink("nowhere", b)); err != nil {
		t.Fatal(err)
	}
	if err := renameUnlessThere(a, b); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto a link without a target: %v, want %v", err, fs.ErrExist)
	}
	if err := renameUnlessThere(a, c); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(c); err != nil || string(got) != "A" {
		t.Errorf("it holds %q (%v)", got, err)
	}
}

func TestDeviceDiffersFromParent(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/", link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"/": true, "/dev": mounted(t, "/dev"), dir: false, link: false} {
		if got, err := deviceDiffersFromParent(path); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", path, got, err, want)
		}
	}
	if _, err := deviceDiffersFromParent(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent path gave %v", err)
	}
}

// mounted asks the better call.
func mounted(t *testing.T, path string) bool {
	t.Helper()
	is, err := IsMountPoint(path)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func TestOSFile_ReadsAndNames(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	f, err := OS.Create(name, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, werr := f.Write([]byte("written"))
	buf := make([]byte, 4)
	_, rerr := f.ReadAt(buf, 2)
	if err := errors.Join(werr, rerr, f.Close()); err != nil || string(buf) != "itte" || f.Name() != name {
		t.Errorf("read %q of %s (%v)", buf, f.Name(), err)
	}
	again, err := OS.OpenWrite(name)
	if err != nil {
		t.Fatal(err)
	}
	_, werr = again.WriteAt([]byte("W"), 0)
	if err := errors.Join(werr, again.Sync(), again.Close()); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "Written" {
		t.Errorf("it holds %q (%v)", got, err)
	}
}
