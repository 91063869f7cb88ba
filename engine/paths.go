package engine

import (
	"errors"
	"io"
	"io/fs"
	"os"
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

// isEmptyDir tells whether name is a directory without entries.
func isEmptyDir(name string) (bool, error) {
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
