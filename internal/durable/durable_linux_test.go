package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/durable"
)

func TestTruncate_GrowsAsAHole(t *testing.T) {
	const size = 64 << 20
	name := filepath.Join(t.TempDir(), "sparse")
	f, err := durable.OS.Create(name, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, werr := f.Write([]byte("head"))
	_, terr := f.WriteAt([]byte("tail"), size)
	if err := errors.Join(werr, terr, f.Truncate(2*size), f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Size() != 2*size {
		t.Fatalf("size %d (%v), want %d", info.Size(), err, 2*size)
	}
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > size/4 {
		t.Errorf("%d bytes on the disk, want only the two ends", used)
	}
}

func TestMountPoints(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]bool{"/": true, "/proc": true, dir: false} {
		if got, err := durable.IsMountPoint(path); err != nil || got != want {
			t.Errorf("IsMountPoint(%s) = %v, %v, want %v", path, got, err, want)
		}
	}
	if _, err := durable.IsMountPoint(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent path gave %v", err)
	}
	for other, want := range map[string]bool{filepath.Dir(dir): true, "/proc": false} {
		if got, err := durable.SameDevice(dir, other); err != nil || got != want {
			t.Errorf("SameDevice(%s, %s) = %v, %v, want %v", dir, other, got, err, want)
		}
	}
}
