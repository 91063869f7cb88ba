package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/inode"
)

var _ holdfast.Peeker = (*Source)(nil)

// Peek implements holdfast.Peeker by a look at the database, its -wal and its
// -journal. None of them is opened: if another SQLite library of this process
// has them open, closing ours would drop its locks.
//
// Every commit writes to one of the three. The -shm holds no data and does not
// count. On a file system that may not show a write at once (a network's, FUSE) no
// state is ever settled. A checkpoint changes the database without changing what it holds, which
// is told as a change: a false one costs a look, a missed one would cost data.
func (s *Source) Peek() (state string, settled bool, err error) {
	sight := inode.NewSight()
	if err := See(sight, "", followLinks(s.path)); err != nil {
		return "", false, err
	}
	return sight.State(), sight.Settled(), nil
}

// See adds to a sight the database at path, called name there, unless it does
// not exist. The companions are looked at first: if they and then the database
// are as they were once, nothing was committed up to the moment between.
func See(sight *inode.Sight, name, path string) error {
	seen := map[string]inode.State{}
	for _, suffix := range []string{"-wal", "-journal"} {
		st, err := companion(path + suffix)
		if err != nil && !isAbsent(err) {
			return cannotSee(path+suffix, err)
		}
		if (st != inode.State{}) {
			seen[suffix] = st
		}
	}
	info, err := os.Lstat(path)
	switch {
	case isAbsent(err):
		return nil // a log without a database holds nothing
	case err != nil:
		return cannotSee(path, err)
	}
	st := inode.StateOf(info)
	sight.On(path, st)
	sight.Add(name, st, info.Mode().String())
	for suffix, st := range seen {
		sight.Add(name+suffix, st, "")
	}
	return nil
}

// isAbsent tells that there is nothing of this name, nor can be: what should be
// a directory above it may be a file.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func cannotSee(path string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return &holdfast.Error{Op: "look at", Object: path, Err: err, Hint: "let the user who runs holdfast search the directory it lies in"}
}
