package durable

import (
	"os"
	"path/filepath"
	"strings"
)

// SameDevice tells whether two existing directories lie on one volume, so that
// a rename between them can succeed.
func SameDevice(a, b string) (bool, error) {
	va, err := volume(a)
	if err != nil {
		return false, err
	}
	vb, err := volume(b)
	return strings.EqualFold(va, vb), err
}

// IsMountPoint tells whether path is the root of a volume, so that it cannot be
// renamed away.
func IsMountPoint(path string) (bool, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return false, err
	}
	if _, err := os.Lstat(abs); err != nil {
		return false, err
	}
	return filepath.Dir(abs) == abs, nil
}

func volume(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(real)
	return filepath.VolumeName(abs), err
}
