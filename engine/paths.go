package engine

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/holdfast-backup/holdfast"
)

// exists tells whether a name is taken, by whatever. A name that cannot be
// looked at counts as taken.
func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

func readLink(name string) (string, bool) {
	link, err := os.Readlink(name)
	return link, err == nil
}

// errNoDirectory tells that something else has the place of a directory.
var errNoDirectory = holdfast.Kindf(holdfast.ErrRefused, "it is no directory")

// isEmptyDir tells whether name is a directory without entries.
func isEmptyDir(name string) (bool, error) {
	// A pipe must not be opened: that would wait for a writer.
	if info, err := os.Stat(name); err != nil {
		return false, err
	} else if !info.IsDir() {
		return false, errNoDirectory
	}
	d, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer d.Close()
	_, err = d.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}
