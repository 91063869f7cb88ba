package probe

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Locks of two files do not keep each other out, as those of one file do not
// where a file system only pretends.
func TestExclude(t *testing.T) {
	dir := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
		return f
	}
	if err := exclude(open("one"), open("one")); err != nil {
		t.Errorf("one file: %v", err)
	}
	if err := exclude(open("two"), open("three")); !errors.Is(err, errNotExcluded) {
		t.Errorf("two files: %v", err)
	}
}
