package chroma

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/inode"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

var _ holdfast.Peeker = (*Source)(nil)

// Peek implements holdfast.Peeker by a look at the database, its logs and the
// files of every folder that can be an index; directories are listed, no file is
// opened. A folder that no collection names any more counts as well: what
// happens there is told as a change, which costs a look and loses nothing.
func (s *Source) Peek() (state string, settled bool, err error) {
	sight := inode.NewSight()
	dir, err := filepath.EvalSymlinks(s.dir)
	if isAbsent(err) {
		return "", true, nil
	}
	if err == nil {
		err = sqlite.See(sight, databaseFile, filepath.Join(dir, databaseFile))
	}
	if err == nil && sight.State() != "" { // without a database there is no source
		err = s.seeFolders(sight, dir)
	}
	if err != nil {
		return "", false, s.cannotSee(err)
	}
	return sight.State(), sight.Settled(), nil
}

// seeFolders adds every index folder and every file in it.
func (s *Source) seeFolders(sight *inode.Sight, dir string) error {
	folders, err := everyFolder(dir)
	if err != nil {
		return err
	}
	for _, g := range folders {
		files, err := takeFingerprint(filepath.Join(dir, g.id))
		if err != nil && !isAbsent(err) {
			return err
		}
		if files == nil {
			continue // gone since it was listed
		}
		info, err := os.Lstat(filepath.Join(dir, g.id))
		if isAbsent(err) {
			continue
		}
		if err != nil {
			return err
		}
		st := inode.StateOf(info)
		sight.On(filepath.Join(dir, g.id), st)
		sight.Add(g.id, st, info.Mode().String())
		for _, f := range files {
			sight.Add(g.id+"/"+f.name, f.State, fmt.Sprint(f.mode))
		}
	}
	return nil
}

// isAbsent tells that there is nothing of this name, nor can be: what should be
// a directory above it may be a file.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func (s *Source) cannotSee(err error) error {
	if _, named := errors.AsType[*holdfast.Error](err); named {
		return err
	}
	return &holdfast.Error{Op: "look at", Object: s.dir, Err: pathCause(err), Hint: permissionHint(err)}
}
