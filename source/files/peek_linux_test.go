package files

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/inode"
)

// A pipe that took the place of a directory is not waited for.
func TestPeek_WaitsForNoPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "was-a-directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &peek{source: peekSource(t, dir, Options{}), sight: inode.NewSight(), left: 10}
	done := make(chan error, 1)
	go func() { _, err := p.list(dir, "was-a-directory"); done <- err }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("a directory that is gone since it was listed gives %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}
