//go:build unix

package planted_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/planted"
)

// shared makes a directory in which everybody can make files, as /tmp is.
func shared(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, fs.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRead_WhatIsOurs(t *testing.T) {
	path := filepath.Join(shared(t), "file")
	write(t, path)
	if data, err := planted.Read(path, 7); err != nil || string(data) != "content" {
		t.Errorf("%q, %v", data, err)
	}
	if err := planted.Check(path); err != nil {
		t.Error(err)
	}
}

func TestRead_RefusesWhatIsNoFile(t *testing.T) {
	for _, c := range []struct {
		name, says string
		make       func(path string) error
	}{
		{"link", "it is a link", func(path string) error {
			write(t, path+"-there")
			return os.Symlink(path+"-there", path)
		}},
		{"pipe", "no regular file", func(path string) error { return syscall.Mkfifo(path, 0o666) }},
		{"directory", "no regular file", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"too long", "more than 6 bytes", func(path string) error { write(t, path); return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(shared(t), "file")
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			_, err := planted.Read(path, 6)
			if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}

func TestRead_AnAbsentFile(t *testing.T) {
	path := filepath.Join(shared(t), "file")
	if _, err := planted.Read(path, 6); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if err := planted.Check(path); err != nil {
		t.Errorf("check: %v", err)
	}
}
