package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestTryWAL_WorksOnAPlainDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := TryWAL(t.Context(), filepath.Join(dir, "probe.db")); err != nil {
		t.Fatal(err)
	}
	for _, companion := range []string{"-wal", "-shm", "-journal"} {
		if _, err := os.Lstat(filepath.Join(dir, "probe.db"+companion)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was left behind (%v)", companion, err)
		}
	}
}

// The shared memory of the WAL mode is a file of its own name; where that
// cannot be made, the mode is refused.
func TestTryWAL_SaysThatThereIsNoWAL(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "probe.db")
	if err := os.Mkdir(path+"-shm", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := TryWAL(t.Context(), path); !errors.Is(err, ErrNoWAL) {
		t.Errorf("got %v, want %v", err, ErrNoWAL)
	}
}

func TestTryWAL_NoDirectory(t *testing.T) {
	t.Parallel()
	if err := TryWAL(t.Context(), filepath.Join(t.TempDir(), "absent", "probe.db")); err == nil {
		t.Error("a database was made in a directory that does not exist")
	}
}
