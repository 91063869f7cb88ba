package engine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// The journal lies in the state directory, which is usually in the repository, and
// a repository may come from anywhere: another machine, an archive, a shared folder.
// A journal is followed by removing and renaming, so what it names must be what a
// restore makes: a target, its companions, and names of ours beside or in it.

// plausible refuses a journal that no restore has written.
func (j *journal) plausible() error {
	for _, t := range j.Targets {
		if t == nil {
			return implausible("nothing", "a target")
		}
		if err := t.plausible(); err != nil {
			return err
		}
	}
	return nil
}

func (t *replacement) plausible() error {
	own := owned{path: t.Path, companions: t.Companions}
	switch {
	case !own.plausible():
		return implausible(t.Path, "the path of a target")
	case !slices.Contains([]string{methodRename, methodInPlace, methodOnline}, t.Method):
		return implausible(t.Method, "a method")
	case t.Stage != "" && !own.beside(t.Stage, stagePrefix):
		return implausible(t.Stage, "a stage")
	case !own.aside(t.Aside):
		return implausible(t.Aside, "the place of an old set")
	}
	for _, m := range t.Out {
		if !own.part(m.From) || !own.asidePart(m.To) {
			return implausible(m.From+" to "+m.To, "a move out")
		}
	}
	for _, m := range t.In {
		// Before it is moved, a new set may have got another stage.
		staged := own.beside(m.From, stagePrefix) || clean(m.From) && own.beside(filepath.Dir(m.From), stagePrefix)
		if !staged && !own.asidePart(m.From) || !own.part(m.To) {
			return implausible(m.From+" to "+m.To, "a move in")
		}
	}
	for _, dir := range t.MadeDirs {
		if dir == t.Path || !within(t.Path, dir) {
			return implausible(dir, "a directory above the target")
		}
	}
	return nil
}

// plausible refuses a record that no restore has left.
func (l *lastRestore) plausible() error {
	if l.Parts != nil {
		if err := l.Parts.plausible(); err != nil {
			return err
		}
	}
	for _, t := range l.Targets {
		own := owned{path: t.Path, companions: []string{"-wal", "-shm", "-journal"}}
		if !own.plausible() {
			return implausible(t.Path, "the path of a target")
		}
		for _, m := range t.Back {
			if !own.asidePart(m.From) || !own.part(m.To) {
				return implausible(m.From+" to "+m.To, "a move back")
			}
		}
	}
	return nil
}

func implausible(what, as string) error {
	return holdfast.Kindf(holdfast.ErrRefused, "it names %q as %s, which no restore does", what, as)
}

// owned are the names that belong to the restores of one target.
type owned struct {
	path       string
	companions []string
}

func (o owned) plausible() bool {
	return filepath.IsAbs(o.path) && clean(o.path) && filepath.Dir(o.path) != o.path &&
		!slices.ContainsFunc(o.companions, func(c string) bool { return c == "" || strings.ContainsAny(c, `/\`) })
}

func clean(path string) bool { return filepath.Clean(path) == path }

// beside tells whether a path lies beside the target or in it, under a name
// that begins so.
func (o owned) beside(path, prefix string) bool {
	dir, base := filepath.Dir(path), filepath.Base(path)
	return clean(path) && (dir == filepath.Dir(o.path) || dir == o.path) && strings.HasPrefix(base, prefix)
}

// aside tells whether a path is a place for the old set.
func (o owned) aside(path string) bool { return o.beside(path, filepath.Base(o.path)+asideInfix) }

// asidePart tells whether a path is such a place, or lies right in one.
func (o owned) asidePart(path string) bool {
	return o.aside(path) || clean(path) && o.aside(filepath.Dir(path))
}

// part tells whether a path is the target, a companion, or lies right in it.
func (o owned) part(path string) bool {
	companion := slices.ContainsFunc(o.companions, func(c string) bool { return path == o.path+c })
	return path == o.path || companion || clean(path) && filepath.Dir(path) == o.path
}

// strange wraps what is wrong with a file of the state directory.
func strange(path string, err error) error {
	return &holdfast.Error{
		Op: "read", Object: path, Err: fmt.Errorf("it was not written by a restore: %w", err),
		Hint: "nothing was touched; find out where the repository comes from, and remove the file if no restore was under way",
	}
}
