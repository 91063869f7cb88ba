package engine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
)

// The scratch copy of a drill lies in a directory that is only for it. Where that is
// stands in a file before it is made, under a lock that goes with the process: what
// a killed drill left is removed by the next one.
const (
	scratchFolder = "drill"           // in the state directory
	scratchLock   = "lock"            // in there
	scratchNote   = "scratch"         // the path of the directory
	scratchPrefix = "holdfast-drill-" // how its name begins
)

// A scratch is the room of one drill.
type scratch struct {
	fsys durable.FS
	lock *flock.Flock
	note string
	dir  string
}

// openScratch makes room for a drill below dir, or in the state directory.
func (e *Engine) openScratch(dir string) (_ *scratch, err error) {
	s, err := e.lockScratch()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.lock.Unlock())
		}
	}()
	if err := s.clear(); err != nil {
		return nil, err
	}
	if dir == "" {
		dir = filepath.Dir(s.note)
	} else {
		if dir, err = filepath.Abs(dir); err == nil {
			err = e.checkElsewhere(filepath.Join(dir, scratchPrefix))
		}
		if err != nil {
			return nil, err
		}
	}
	if err := durable.MkdirAll(s.fsys, dir, 0o700); err != nil {
		return nil, scratchError("make", dir, err)
	}
	s.dir = filepath.Join(dir, scratchPrefix+strings.ToLower(rand.Text()))
	if err := durable.WriteFile(s.fsys, s.note, []byte(s.dir), 0o600); err != nil {
		return nil, scratchError("note", s.dir, err)
	}
	if err := s.fsys.Mkdir(s.dir, 0o700); err != nil {
		return nil, errors.Join(scratchError("make", s.dir, err), s.clear())
	}
	return s, nil
}

// lockScratch takes the right to hold a drill.
func (e *Engine) lockScratch() (*scratch, error) {
	folder := filepath.Join(e.o.StateDir, scratchFolder)
	if err := durable.MkdirAll(e.o.FS, folder, 0o700); err != nil {
		return nil, scratchError("make", folder, err)
	}
	s := &scratch{
		fsys: e.o.FS, note: filepath.Join(folder, scratchNote),
		lock: flock.New(filepath.Join(folder, scratchLock), flock.SetFlag(os.O_CREATE|os.O_RDWR|planted.NoFollow), flock.SetPermissions(0o600)),
	}
	held, err := s.lock.TryLock()
	if err != nil {
		return nil, scratchError("lock", folder, err)
	}
	if !held {
		return nil, &holdfast.Error{Op: opDrill, Err: holdfast.Kindf(holdfast.ErrLocked, "another drill is under way"), Hint: "try again when it is done"}
	}
	return s, nil
}

// clear removes the copy that is noted.
func (s *scratch) clear() error {
	path, err := planted.Read(s.note, 1<<14)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return scratchError("read", s.note, err)
	}
	// The state directory may come from anywhere: nothing is removed but what a
	// drill can have made.
	dir := string(path)
	info, err := os.Lstat(dir)
	switch {
	case !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || !strings.HasPrefix(filepath.Base(dir), scratchPrefix):
		return &holdfast.Error{Op: "read", Object: s.note, Err: holdfast.Kindf(holdfast.ErrRefused, "it names %q as the copy of a drill, which it cannot be", dir), Hint: "remove the file"}
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return scratchError("look at", dir, err)
	case !info.IsDir():
		return &holdfast.Error{Op: "remove", Object: dir, Err: holdfast.Kindf(holdfast.ErrRefused, "it is no directory, so that no drill has made it"), Hint: "look what it is, and remove it"}
	default:
		if err := planted.Check(dir); err != nil {
			return err
		}
		if err := removeTree(s.fsys, dir); err != nil {
			return scratchError("remove", dir, err)
		}
	}
	if err := s.fsys.Remove(s.note); err != nil {
		return scratchError("remove", s.note, err)
	}
	return nil
}

// close removes the copy and lets others hold drills.
func (s *scratch) close() error { return errors.Join(s.clear(), s.lock.Unlock()) }

// ClearScratch removes what a killed drill left. While a drill is under way it does
// nothing.
func (e *Engine) ClearScratch() error {
	if !exists(filepath.Join(e.o.StateDir, scratchFolder, scratchNote)) {
		return nil
	}
	s, err := e.lockScratch()
	if errors.Is(err, holdfast.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.close()
}

// removeTree removes a tree in which there may be directories that cannot be written:
// their modes came back with them.
func removeTree(fsys durable.FS, dir string) error {
	err := durable.RemoveAll(fsys, dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && err == nil {
			return fsys.Chmod(path, 0o700)
		}
		return err
	})
	return errors.Join(err, durable.RemoveAll(fsys, dir))
}

func scratchError(op, object string, err error) error {
	return &holdfast.Error{Op: op, Object: object, Err: fmt.Errorf("for a drill: %w", err), Hint: "drill.dir or --dir names another place for scratch copies"}
}
