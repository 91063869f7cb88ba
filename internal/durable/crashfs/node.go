package crashfs

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A node is a file, directory or symbolic link: what an inode is to a disk.
type node struct {
	dir bool

	// now and synced are the entries of a directory: as the program sees
	// them, and as a power cut leaves them.
	now, synced map[string]*node

	// pairs are other directories whose entries became durable together with
	// those of this one, because one exchange changed both.
	pairs map[*node][]string

	// grave is where a removed node waits in case it comes back.
	grave string

	// dirty tells that the file was changed since its last sync: beyond size
	// everything is lost, the ranges below it may hold anything, and tail is
	// what a truncation cut off from tailAt on.
	dirty  bool
	size   int64
	ranges []span
	tail   []byte
	tailAt int64

	// meta has the durable mode and time while newer ones are not durable.
	meta fs.FileInfo
}

type span struct{ from, to int64 }

func newDir() *node {
	return &node{dir: true, now: map[string]*node{}, synced: map[string]*node{}}
}

// lookup gives the directory that holds name, name's last element, and the real
// path, after resolving links on the way. Parts that somebody made without this
// disk are taken into the model as durable.
func (d *Disk) lookup(name string) (parent *node, base, path string, err error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, "", "", err
	}
	if abs == d.root {
		return nil, "", "", &fs.PathError{Op: "crashfs", Path: name, Err: ErrOutside}
	}
	above, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return nil, "", "", err
	}
	parent, err = d.lookupDir(above)
	base = filepath.Base(abs)
	return parent, base, filepath.Join(above, base), err
}

// lookupDir gives the node of a directory.
func (d *Disk) lookupDir(path string) (*node, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(d.root, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, &fs.PathError{Op: "crashfs", Path: path, Err: ErrOutside}
	}
	n, at := d.tree, d.root
	if rel == "." {
		return n, nil
	}
	for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
		at = filepath.Join(at, part)
		child, err := d.child(n, part, at)
		if err != nil {
			return nil, err
		}
		if child == nil || !child.dir {
			return nil, &fs.PathError{Op: "crashfs", Path: at, Err: fs.ErrNotExist}
		}
		n = child
	}
	return n, nil
}

// child gives the entry of a directory, nil if there is none, after comparing
// the model with the real disk.
func (d *Disk) child(parent *node, name, path string) (*node, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		parent.forget(name)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n := parent.now[name]
	if n == nil || n.dir != info.IsDir() {
		n, err = d.adopt(info, path)
		if err != nil {
			return nil, err
		}
		parent.now[name], parent.synced[name] = n, n
	}
	return n, nil
}

// forget drops an entry that somebody removed without this disk.
func (n *node) forget(name string) {
	if gone := n.now[name]; gone != nil && n.synced[name] == gone {
		delete(n.synced, name)
	}
	delete(n.now, name)
}

func (d *Disk) adopt(info fs.FileInfo, path string) (*node, error) {
	if !info.IsDir() {
		return &node{}, nil
	}
	n := newDir()
	return n, d.adoptAll(n, path)
}

// adoptAll brings the model of a tree up to what lies on the real disk.
func (d *Disk) adoptAll(n *node, path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		there[e.Name()] = true
		at := filepath.Join(path, e.Name())
		known := n.now[e.Name()]
		c, err := d.child(n, e.Name(), at)
		if err != nil {
			return err
		}
		if c != nil && c.dir && c == known { // a new one was read by adopt
			if err := d.adoptAll(c, at); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Collect(maps.Keys(n.now)) {
		if !there[name] {
			n.forget(name)
		}
	}
	return nil
}

// change notes that a file is about to be written and that size is its length
// until then.
func (n *node) change(size int64) {
	if !n.dirty {
		n.dirty, n.size = true, size
	}
}

// remember notes that mode or times are about to change.
func (n *node) remember(info fs.FileInfo) {
	if n.meta == nil {
		n.meta = info
	}
}

// overwrite notes a write to a range.
func (n *node) overwrite(from, to int64) {
	if to = min(to, n.size); from < to {
		n.ranges = append(n.ranges, span{from, to})
	}
}

// settle notes that data, mode and times are durable.
func (n *node) settle() {
	n.dirty, n.size, n.ranges, n.tail, n.tailAt = false, 0, nil, nil, 0
	n.meta = nil
}

// settleNames notes that the entries of a directory are durable.
func (n *node) settleNames() {
	n.synced = maps.Clone(n.now)
	n.meta = nil
	for other, names := range n.pairs {
		for _, name := range names {
			if c := other.now[name]; c != nil {
				other.synced[name] = c
			} else {
				delete(other.synced, name)
			}
		}
		delete(other.pairs, n)
	}
	n.pairs = nil
}

func (n *node) pair(other *node, name string) {
	if n.pairs == nil {
		n.pairs = map[*node][]string{}
	}
	n.pairs[other] = append(n.pairs[other], name)
}
