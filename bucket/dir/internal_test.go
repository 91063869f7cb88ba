//go:build unix

package dir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestExactName(t *testing.T) {
	dir := t.TempDir()
	for i := range 2500 { // more than one piece of the listing
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"7": true, "2499": true, "absent": false} {
		if got, err := exactName(filepath.Join(dir, name)); err != nil || got != want {
			t.Errorf("exactName(%s) = %v, %v, want %v", name, got, err, want)
		}
	}
	// "." can be looked up but is not listed, as a name that the file system
	// folds into another.
	if _, err := exactName(dir + "/."); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a name that is not listed gave %v, want %v", err, fs.ErrExist)
	}
}

func TestHasNoLocks(t *testing.T) {
	for err, want := range map[error]bool{
		nil: false, syscall.EWOULDBLOCK: false, syscall.EACCES: false, fs.ErrNotExist: false,
		syscall.ENOLCK: true, syscall.ENOSYS: true, &fs.PathError{Op: "flock", Err: syscall.EOPNOTSUPP}: true,
	} {
		if got := hasNoLocks(err); got != want {
			t.Errorf("hasNoLocks(%v) = %v, want %v", err, got, want)
		}
	}
}
