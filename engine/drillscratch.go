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

// A scratch copy lies in a directory that is only for it. Where that is stands in a file
// before it is made, under a lock that goes with the process: what a killed process left
// is removed by the next one that makes such a copy.
const (
	scratchLock = "lock"    // in the folder of its purpose
	scratchNote = "scratch" // the path of the directory
)

// A purpose is what scratch copies are made for. Of each purpose there is one at a time.
type purpose struct {
	op     string
	folder string // in the state directory
	prefix string // how the name of the directory begins
	words  string // "a drill"
	hint   string // what names another place
}

// The purposes of scratch copies.
var (
	forDrill = purpose{op: opDrill, folder: "drill", prefix: "holdfast-drill-", words: "a drill", hint: "drill.dir or --dir names another place for scratch copies"}
	forLook  = purpose{op: "look", folder: "look", prefix: "holdfast-look-", words: "a look at the present state", hint: "the copy lies among what holdfast remembers of the repository; make room there"}
)

// A scratch is the room of one copy.
type scratch struct {
	purpose
	fsys durable.FS
	lock *flock.Flock
	note string
	dir  string
}

// openScratch makes room for a copy below dir, or in the state directory.
func (e *Engine) openScratch(what purpose, dir string) (_ *scratch, err error) {
	s, err := e.lockScratch(what)
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
			err = e.checkElsewhere(filepath.Join(dir, s.prefix))
		}
		if err != nil {
			return nil, err
		}
	}
	if err := durable.MkdirAll(s.fsys, dir, 0o700); err != nil {
		return nil, s.fail("make", dir, err)
	}
	s.dir = filepath.Join(dir, s.prefix+strings.ToLower(rand.Text()))
	if err := durable.WriteFile(s.fsys, s.note, []byte(s.dir), 0o600); err != nil {
		return nil, s.fail("note", s.dir, err)
	}
	if err := s.fsys.Mkdir(s.dir, 0o700); err != nil {
		return nil, errors.Join(s.fail("make", s.dir, err), s.clear())
	}
	return s, nil
}

// lockScratch takes the right to make a copy.
func (e *Engine) lockScratch(what purpose) (*scratch, error) {
	folder := filepath.Join(e.o.StateDir, what.folder)
	if err := durable.MkdirAll(e.o.FS, folder, 0o700); err != nil {
		return nil, what.fail("make", folder, err)
	}
	s := &scratch{
		purpose: what, fsys: e.o.FS, note: filepath.Join(folder, scratchNote),
		lock: flock.New(filepath.Join(folder, scratchLock), flock.SetFlag(os.O_CREATE|os.O_RDWR|planted.NoFollow), flock.SetPermissions(0o600)),
	}
	held, err := s.lock.TryLock()
	if err != nil {
		return nil, what.fail("lock", folder, err)
	}
	if !held {
		return nil, &holdfast.Error{Op: what.op, Err: holdfast.Kindf(holdfast.ErrLocked, "%s is under way already", what.words), Hint: "try again when it is done"}
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
		return s.fail("read", s.note, err)
	}
	// The state directory may come from anywhere: nothing is removed but what can have
	// been made for the purpose.
	dir := string(path)
	info, err := os.Lstat(dir)
	switch {
	case !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || !strings.HasPrefix(filepath.Base(dir), s.prefix):
		return &holdfast.Error{Op: "read", Object: s.note, Err: holdfast.Kindf(holdfast.ErrRefused, "it names %q as the copy of %s, which it cannot be", dir, s.words), Hint: "remove the file"}
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return s.fail("look at", dir, err)
	case !info.IsDir():
		return &holdfast.Error{Op: "remove", Object: dir, Err: holdfast.Kindf(holdfast.ErrRefused, "it is no directory, so that it was not made for %s", s.words), Hint: "look what it is, and remove it"}
	default:
		if err := planted.Check(dir); err != nil {
			return err
		}
		if err := removeTree(s.fsys, dir); err != nil {
			return s.fail("remove", dir, err)
		}
	}
	if err := s.fsys.Remove(s.note); err != nil {
		return s.fail("remove", s.note, err)
	}
	return nil
}

// close removes the copy and lets others make one.
func (s *scratch) close() error { return errors.Join(s.clear(), s.lock.Unlock()) }

// ClearScratch removes what a killed drill left, and a killed look at the present state.
// What is under way it leaves alone.
func (e *Engine) ClearScratch() error {
	return errors.Join(e.clearScratch(forDrill), e.clearScratch(forLook))
}

func (e *Engine) clearScratch(what purpose) error {
	if !exists(filepath.Join(e.o.StateDir, what.folder, scratchNote)) {
		return nil
	}
	s, err := e.lockScratch(what)
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

func (p purpose) fail(op, object string, err error) error {
	return &holdfast.Error{Op: op, Object: object, Err: fmt.Errorf("for %s: %w", p.words, err), Hint: p.hint}
}
