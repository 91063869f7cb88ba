//go:build unix

package durable

import (
	"os"
	"path/filepath"
	"syscall"
)

// SameDevice tells whether two existing directories lie on one file system, so
// that a rename between them can succeed.
func SameDevice(a, b string) (bool, error) {
	da, err := device(a)
	if err != nil {
		return false, err
	}
	db, err := device(b)
	return da == db, err
}

func device(path string) (uint64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return uint64(info.Sys().(*syscall.Stat_t).Dev), nil //nolint:unconvert // the type differs between systems
}

// deviceDiffersFromParent is the old way to find a mount point; it misses bind
// mounts within one file system.
func deviceDiffersFromParent(path string) (bool, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return false, err
	}
	info, err := os.Lstat(abs)
	if err != nil || info.Mode()&os.ModeSymlink != 0 {
		return false, err
	}
	parent := filepath.Dir(abs)
	if parent == abs {
		return true, nil
	}
	same, err := SameDevice(abs, parent)
	return !same && err == nil, err
}
