package boot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// The connections of another SQLite library share no memory that we know of, so
// its database lies in a file meanwhile, in a directory in memory that is named
// after where it belongs. What a process that was killed has left in such a
// directory is newer than the file on disk and than every backup: the next start
// goes on with it, or names it.

const (
	scratchLock = "lock" // is held while a process uses the directory
	scratchNote = "disk" // holds the state of the files on disk that it began from

	// maxNote bounds a note: it is a few numbers for each of three files.
	maxNote = 64 << 10

	problemScratch problem = "scratch" // was left by a process that was killed
)

// scratchBases are where such directories are made, the best first.
func scratchBases() []string { return []string{"/dev/shm", os.TempDir()} }

// scratchPrefix begins the names of those of this database.
func (s *Store) scratchPrefix() string {
	sum := sha256.Sum256([]byte(s.o.Database))
	return "holdfast-" + hex.EncodeToString(sum[:8]) + "-"
}

// A scratch is a directory in memory with the database of a foreign library.
type scratch struct {
	dir, path string
	lock      *flock.Flock
}

// newScratch makes an empty location for a foreign library.
func (s *Store) newScratch() (*location, error) {
	var errs []error
	for _, base := range scratchBases() {
		dir, err := os.MkdirTemp(base, s.scratchPrefix())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c, err := s.openScratch(dir)
		if err == nil && c == nil {
			err = fmt.Errorf("%s is in use", dir)
		}
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		return s.inScratch(c)
	}
	return nil, errors.Join(errs...)
}

// openScratch takes a directory for this process; nil tells that another one
// lives in it.
func (s *Store) openScratch(dir string) (*scratch, error) {
	if err := planted.Check(dir); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, scratchLock), flock.SetPermissions(0o600))
	switch alone, err := lock.TryLock(); {
	case err != nil:
		return nil, errors.Join(err, lock.Close())
	case !alone:
		return nil, lock.Close()
	}
	return &scratch{dir: dir, path: filepath.Join(dir, filepath.Base(s.o.Database)), lock: lock}, nil
}

// inScratch is the location in such a directory.
func (s *Store) inScratch(c *scratch) (*location, error) {
	uri, err := sqlite.FileURI(c.path)
	if err != nil {
		return nil, errors.Join(err, c.drop())
	}
	source, err := newForeign(s.o.Options, s.o.source.Name, c.path, uri)
	if err != nil {
		return nil, errors.Join(err, c.drop())
	}
	return &location{uri: uri, source: source, at: c.path, save: source.into, drop: c.drop, leave: c.lock.Close, note: c.note}, nil
}

// note writes down which state of the disk the database began from.
func (c *scratch) note(disk string) error {
	return durable.WriteFileFunc(durable.OS, filepath.Join(c.dir, scratchNote), 0o600, func(w io.Writer) error {
		_, err := io.WriteString(w, disk)
		return err
	})
}

// drop removes everything.
func (c *scratch) drop() error { return errors.Join(os.RemoveAll(c.dir), c.lock.Close()) }

// leftovers takes what processes that were killed have left. Each must be dropped
// or left.
func (s *Store) leftovers() (all []*scratch) {
	if s.o.Open == nil {
		return nil
	}
	for _, base := range scratchBases() {
		entries, err := os.ReadDir(base)
		if err != nil {
			continue // nothing can have been left there
		}
		for _, e := range entries {
			if !e.IsDir() || !strings.HasPrefix(e.Name(), s.scratchPrefix()) {
				continue
			}
			c, err := s.openScratch(filepath.Join(base, e.Name()))
			if err != nil {
				s.log.Warn("what lies in memory under a name of ours cannot be used", "path", filepath.Join(base, e.Name()), "error", err)
			}
			if c == nil {
				continue
			}
			if info, err := os.Lstat(c.path); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
				s.tell("an empty directory in memory could not be removed", c.drop())
				continue
			}
			all = append(all, c)
		}
	}
	return all
}

// follows tells that nothing was written on disk since the database left it, so
// that what lies in memory is the newest state.
func (s *Store) follows(c *scratch) bool {
	disk, err := planted.Read(filepath.Join(c.dir, scratchNote), maxNote)
	return err == nil && len(disk) > 0 && string(disk) == s.seen()
}

// bringHome puts what was left in memory where it belongs, before anything else
// is decided about the data. What lies on disk is kept aside.
func (s *Store) bringHome(ctx context.Context) {
	for _, c := range s.leftovers() {
		if !s.follows(c) || s.standby() != "" {
			s.nameLeft(c, "the database on disk has changed since")
			continue
		}
		aside, err := s.placed(ctx, func(ctx context.Context, stage string) error { return saveLive(ctx, c.path, stage) })
		if err != nil {
			s.nameLeft(c, "it could not be brought back: "+err.Error())
			continue
		}
		s.log.Warn("what a process that was killed had left in memory is back on disk", "database", s.o.Database, "from", c.dir, "aside", aside)
		if len(aside) > 0 {
			s.note(problemAside, holdfast.Problem{
				Severity: holdfast.Warning, Object: strings.Join(aside, ", "),
				Message: "what lay on disk before a killed process left newer data in memory was kept aside",
				Hint:    "look whether something in it is missed, then remove it",
			})
		}
		s.tell("what was brought back could not be removed from memory", c.drop())
	}
}

// goOn is the location in memory that a killed process has left, if it is the
// newest state; nil if there is none.
func (s *Store) goOn(ctx context.Context) (*location, origin) {
	var found *location
	var from origin
	for _, c := range s.leftovers() {
		if found != nil || !s.follows(c) {
			s.nameLeft(c, "the database on disk has changed since")
			continue
		}
		l, err := s.inScratch(c)
		if err == nil {
			err = s.quickCheck(ctx, l)
		}
		if err != nil {
			s.nameLeft(c, "it cannot be used: "+err.Error())
			continue
		}
		found = l
		from = origin{words: "what a process that was killed has left there", disk: s.seen(), fill: func(context.Context, *location) error { return nil }}
	}
	return found, from
}

// nameLeft tells of what stays in memory as it is.
func (s *Store) nameLeft(c *scratch, why string) {
	s.note(problemScratch, holdfast.Problem{
		Severity: holdfast.Incomplete, Object: c.path,
		Message: "a process that was killed while the storage failed has left the database in memory, perhaps with changes that are nowhere else; " + why,
		Hint:    "look at it with sqlite3 and save what is missed; then remove " + c.dir,
	})
	s.log.Warn("a process that was killed has left the database in memory", "path", c.path, "why", why)
	s.tell("the lock could not be given back", c.lock.Close())
}
