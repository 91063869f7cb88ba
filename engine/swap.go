package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast/internal/durable"
)

// planOut lists what makes up the old set of a target at this moment. The main
// file comes first, so that undoing, which goes backwards, puts it back last.
func (t *replacement) planOut() error {
	t.Out = nil
	switch {
	case t.Method == methodOnline || !exists(t.Path):
	case t.Method == methodInPlace:
		names, err := t.entries()
		if err != nil {
			return err
		}
		for _, n := range names {
			t.Out = append(t.Out, move{filepath.Join(t.Path, n), filepath.Join(t.Aside, n)})
		}
	default:
		t.Out = append(t.Out, move{t.Path, t.Aside})
	}
	// A companion may be there without its file: left behind, and stale.
	for _, c := range t.Companions {
		if t.Method != methodOnline && exists(t.Path+c) {
			t.Out = append(t.Out, move{t.Path + c, t.Aside + c})
		}
	}
	return nil
}

// planIn lists what makes up the new set in the stage.
func (t *replacement) planIn() error {
	if t.Stage == "" || t.Method == methodOnline {
		return nil // known from the start, or written through the database
	}
	t.In = nil
	switch {
	case t.Method == methodInPlace:
		entries, err := os.ReadDir(t.Stage)
		if err != nil {
			return err
		}
		for _, e := range entries {
			t.In = append(t.In, move{filepath.Join(t.Stage, e.Name()), filepath.Join(t.Path, e.Name())})
		}
	case t.Dir:
		t.In = []move{{t.Stage, t.Path}}
	default:
		t.In = []move{{filepath.Join(t.Stage, t.File), t.Path}}
	}
	return nil
}

// entries lists what belongs to the data of a target that is swapped in
// place: all but what restores keep there, and the file system's own.
func (t *replacement) entries() ([]string, error) {
	list, err := os.ReadDir(t.Path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range list {
		n := e.Name()
		kept := n == "lost+found" || strings.HasPrefix(n, stagePrefix) ||
			strings.HasPrefix(n, filepath.Base(t.Path)+asideInfix) || strings.Contains(n, foundInfix)
		if !kept {
			names = append(names, n)
		}
	}
	return names, nil
}

// moveOut moves the old set aside.
func (t *replacement) moveOut(fsys durable.FS) error {
	if t.Method == methodInPlace && len(t.Out) > 0 {
		if err := durable.MkdirAll(fsys, t.Aside, 0o700); err != nil {
			return err
		}
	}
	return moveAll(fsys, t.Out)
}

// moveIn puts the new set in the target's place.
func (t *replacement) moveIn(fsys durable.FS) error { return moveAll(fsys, t.In) }

func moveAll(fsys durable.FS, moves []move) error {
	for _, m := range moves {
		if err := durable.RenameNew(fsys, m.From, m.To); err != nil {
			return fmt.Errorf("move %s to %s: %w", m.From, m.To, err)
		}
	}
	return nil
}

// undo puts the old set back, from wherever a swap or an earlier undo was
// cut. What it finds in the target's place that belongs to neither set is set
// apart, never overwritten; it tells where.
//
// How far things are is read from the disk: each move was taken exactly if its
// From is gone and its To is there.
func (t *replacement) undo(fsys durable.FS, placing bool, stamp string) (found []string, err error) {
	if t.Method == methodOnline {
		return nil, nil // the database's own transaction
	}
	if placing {
		for _, m := range slices.Backward(t.In) {
			if err := moveBack(fsys, m); err != nil {
				return nil, err
			}
		}
	}
	if len(t.Out) == 0 || exists(t.Out[0].To) { // not all of the old set is back
		found, err = t.setApart(fsys, stamp)
		if err != nil {
			return found, err
		}
	}
	for _, m := range slices.Backward(t.Out) {
		if err := moveBack(fsys, m); err != nil {
			return found, err
		}
	}
	if t.Method == methodInPlace {
		if err := removeIfEmpty(fsys, t.Aside); err != nil {
			return found, err
		}
	}
	return found, nil
}

// moveBack reverses one move if it was taken.
func moveBack(fsys durable.FS, m move) error {
	if !exists(m.To) {
		return nil
	}
	if exists(m.From) {
		return removeTwin(fsys, m)
	}
	if err := durable.RenameNew(fsys, m.To, m.From); err != nil {
		return fmt.Errorf("put %s back to %s: %w", m.To, m.From, err)
	}
	return nil
}

// removeTwin repairs a rename that a power cut left with both names on one
// file. Two different files are none of its business.
func removeTwin(fsys durable.FS, m move) error {
	a, aerr := os.Lstat(m.From)
	b, berr := os.Lstat(m.To)
	if aerr != nil || berr != nil || !a.Mode().IsRegular() || !os.SameFile(a, b) {
		return nil
	}
	return durable.Remove(fsys, m.To)
}

// setApart renames what stands in the way of the old set: files that somebody
// made while the restore was cut.
func (t *replacement) setApart(fsys durable.FS, stamp string) (found []string, err error) {
	var candidates []string
	switch {
	case t.Method == methodInPlace:
		names, err := t.entries()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, n := range names {
			candidates = append(candidates, filepath.Join(t.Path, n))
		}
	case exists(t.Path):
		candidates = append(candidates, t.Path)
	}
	for _, c := range t.Companions {
		if exists(t.Path + c) {
			candidates = append(candidates, t.Path+c)
		}
	}
	for _, c := range candidates {
		if t.isOld(c) {
			continue
		}
		to := free(c + foundInfix + stamp)
		if err := durable.RenameNew(fsys, c, to); err != nil {
			return found, fmt.Errorf("set %s apart: %w", c, err)
		}
		found = append(found, to)
	}
	return found, nil
}

// isOld tells whether a path in the target's place is part of the old set: not
// yet moved aside, or put back already.
func (t *replacement) isOld(path string) bool {
	return slices.ContainsFunc(t.Out, func(m move) bool {
		if m.From != path {
			return false
		}
		if !exists(m.To) {
			return true
		}
		a, aerr := os.Lstat(m.From)
		b, berr := os.Lstat(m.To)
		return aerr == nil && berr == nil && os.SameFile(a, b)
	})
}

// arrived tells whether the whole new set is in the target's place.
func (t *replacement) arrived() bool {
	for _, m := range t.In {
		if exists(m.From) || !exists(m.To) {
			return false
		}
	}
	return true
}

// arrived tells whether every new set is in its target's place.
func (j *journal) arrived() bool {
	return !slices.ContainsFunc(j.Targets, func(t *replacement) bool { return !t.arrived() })
}

// removeStage removes what staging left.
func (t *replacement) removeStage(fsys durable.FS) error {
	if t.Stage == "" {
		return nil
	}
	return durable.RemoveAll(fsys, t.Stage)
}

// removeAside lets the old set go.
func (t *replacement) removeAside(fsys durable.FS) error {
	if t.Method == methodInPlace {
		return durable.RemoveAll(fsys, t.Aside)
	}
	for _, m := range t.Out {
		if err := durable.RemoveAll(fsys, m.To); err != nil {
			return err
		}
	}
	return nil
}

// removeEmptiedAside removes the directory of an earlier aside whose entries
// were brought back.
func (t *replacement) removeEmptiedAside(fsys durable.FS) error {
	if t.Stage != "" || t.Method != methodInPlace || len(t.In) == 0 {
		return nil
	}
	return removeIfEmpty(fsys, filepath.Dir(t.In[0].From))
}

// removeMadeDirs removes parents that were made for a target that did not
// come to be. A directory that is in use meanwhile stays.
func (t *replacement) removeMadeDirs(fsys durable.FS) error {
	for _, dir := range slices.Backward(t.MadeDirs) {
		if err := removeIfEmpty(fsys, dir); err != nil {
			return err
		}
	}
	return nil
}

func removeIfEmpty(fsys durable.FS, dir string) error {
	empty, err := isEmptyDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !empty {
		return nil
	}
	if err != nil {
		return err
	}
	return durable.Remove(fsys, dir)
}

// Parts of the names that restores make beside, or in, a target.
const (
	stagePrefix = ".holdfast-stage-"
	asideInfix  = ".before-"
	foundInfix  = ".found-"
)

// free gives name, or name with the first number that is not taken.
func free(name string) string {
	if !exists(name) {
		return name
	}
	for i := 2; ; i++ {
		if n := fmt.Sprintf("%s-%d", name, i); !exists(n) {
			return n
		}
	}
}
