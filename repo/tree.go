package repo

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// A tree is the entries of a backup by path, with the directories above them.
type tree struct {
	entries  map[string]*entry
	children map[string][]*entry // by directory, in the order of their names
}

// newTree builds the tree of entries. Directories that have no entry of their
// own get one with mode 0700 and time t. Paths that clash are an error.
func newTree(entries []*entry, t time.Time) (*tree, error) {
	tr := &tree{entries: make(map[string]*entry, len(entries)), children: map[string][]*entry{}}
	for _, e := range entries {
		if tr.entries[e.Path] != nil {
			return nil, fmt.Errorf("%s is there twice", e.Path)
		}
		tr.entries[e.Path] = e
	}
	for _, e := range entries {
		if err := tr.addParents(e.Path, t); err != nil {
			return nil, err
		}
	}
	if tr.entries["."] == nil {
		tr.entries["."] = impliedDir(".", t)
	}
	for name, e := range tr.entries {
		if name != "." {
			dir := path.Dir(name)
			tr.children[dir] = append(tr.children[dir], e)
		}
	}
	for _, list := range tr.children {
		slices.SortFunc(list, func(a, b *entry) int { return strings.Compare(a.Path, b.Path) })
	}
	return tr, nil
}

func (tr *tree) addParents(name string, t time.Time) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		parent := tr.entries[dir]
		if parent == nil {
			tr.entries[dir] = impliedDir(dir, t)
			continue
		}
		if parent.Type != typeDir {
			return fmt.Errorf("%s lies below %s, which is a %s", name, dir, parent.Type)
		}
	}
	return nil
}

func impliedDir(name string, t time.Time) *entry {
	return &entry{Path: name, Type: typeDir, perm: fs.ModeDir | 0o700, modTime: t.UTC(), source: sourceOf(name), Mode: "0700"}
}

// below gives the entries at and below prefix in the order of their paths,
// which puts a directory before what it holds.
func (tr *tree) below(prefix string) []*entry {
	var list []*entry
	for name, e := range tr.entries {
		if prefix == "." || name == prefix || strings.HasPrefix(name, prefix+"/") {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *entry) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// explicit gives the entries that have a line of their own in the manifest, in
// the order of their paths.
func (tr *tree) explicit() []*entry {
	return slices.DeleteFunc(tr.below("."), func(e *entry) bool { return e.ModTime == "" })
}
