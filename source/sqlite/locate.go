package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
)

// maxLinks bounds a chain of symbolic links.
const maxLinks = 32

// followLinks gives the file that path leads to, also where that file, or the
// end of a chain of links, does not exist.
func followLinks(path string) string {
	for range maxLinks {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return real
		}
		link, err := os.Readlink(path)
		if err != nil {
			if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
				return filepath.Join(dir, filepath.Base(path))
			}
			return path
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	return path
}

// statDatabase looks at a file that should be a database, without opening it.
func statDatabase(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, openError(path, err)
	}
	switch {
	case info.IsDir():
		return nil, &holdfast.Error{
			Op: "open database", Object: path,
			Err:  holdfast.Kindf(holdfast.ErrUsage, "it is a directory"),
			Hint: "give the database file itself; a directory with a chroma.sqlite3 is a chroma source, any other a files source",
		}
	case !info.Mode().IsRegular():
		return nil, &holdfast.Error{
			Op: "open database", Object: path,
			Err:  holdfast.Kindf(holdfast.ErrUsage, "it is not a regular file (%v)", info.Mode().Type()),
			Hint: "give the path of the SQLite file",
		}
	}
	return info, nil
}

// openError explains why a file cannot be opened.
func openError(path string, err error) error {
	e := &holdfast.Error{Op: "open database", Object: path, Err: err}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		e.Err = pe.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Err = holdfast.Kindf(fs.ErrNotExist, "there is no such file")
		e.Hint = "check the path of the source, and whether the application has run yet"
	case errors.Is(err, fs.ErrPermission):
		e.Err = fmt.Errorf("no permission to read it: %w", e.Err)
		e.Hint = "run holdfast as the user who owns the database, or let that user's group read it"
	}
	return e
}
