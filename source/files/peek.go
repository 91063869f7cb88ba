package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/inode"
)

var _ holdfast.Peeker = (*Source)(nil)

// maxPeek bounds the entries that a peek looks at: a look at so many takes some
// tenths of a second, and it is taken often.
const maxPeek = 100_000

// Peek implements holdfast.Peeker by a look at every entry of the tree that a
// capture would take in; directories are listed, no file is opened. Of a tree of
// more than 100,000 entries it looks at so many, and the state is never settled: a
// change is seen by chance, and otherwise found by a backup. So it is on a file
// system that may not show a write at once (a network's, FUSE).
//
// What a program writes through mapped memory shows only when the system writes it
// to the disk, and on a tmpfs never.
func (s *Source) Peek() (state string, settled bool, err error) {
	return s.peek(maxPeek)
}

func (s *Source) peek(limit int) (state string, settled bool, err error) {
	p := &peek{source: s, sight: inode.NewSight(), left: limit}
	root, err := filepath.EvalSymlinks(s.path)
	if isAbsent(err) {
		return "", true, nil
	}
	if err == nil {
		err = p.all(root)
	}
	if err != nil {
		return "", false, s.failed(err)
	}
	return p.sight.State(), p.sight.Settled(), nil
}

// A peek is one look at a tree.
type peek struct {
	source *Source
	sight  *inode.Sight
	left   int // entries that may still be looked at
}

// all looks at the root and what lies below it. Directories wait on a stack, and
// their entries are read in batches, as in a capture.
func (p *peek) all(root string) error {
	info, err := os.Lstat(root)
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	p.see(root, ".", info)
	if !info.IsDir() {
		return nil
	}
	stack := []string{"."}
	for len(stack) > 0 && p.left >= 0 {
		dir := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		below, err := p.list(root, dir)
		if err != nil {
			return err
		}
		stack = append(stack, below...)
	}
	return nil
}

// list looks at the entries of one directory and gives the directories in it.
func (p *peek) list(root, dir string) (below []string, err error) {
	// What is a pipe by now must not be waited for.
	d, err := os.OpenFile(filepath.Join(root, filepath.FromSlash(dir)), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if isAbsent(err) {
		return nil, nil // gone since it was listed, which its parent shows
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(batch)
		for _, e := range entries {
			rel := path.Join(dir, e.Name())
			if p.source.exclude.match(rel, e.IsDir()) {
				continue
			}
			if p.left--; p.left < 0 {
				p.sight.Doubt()
				return nil, nil
			}
			info, err := e.Info()
			if isAbsent(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			p.see(filepath.Join(d.Name(), e.Name()), rel, info)
			if info.IsDir() {
				below = append(below, rel)
			}
		}
		if errors.Is(err, io.EOF) || isAbsent(err) {
			return below, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// see adds one entry.
func (p *peek) see(name, rel string, info fs.FileInfo) {
	st := inode.StateOf(info)
	p.sight.On(name, st)
	p.sight.Add(rel, st, info.Mode().String())
}

// isAbsent tells that there is nothing of this name, nor can be: what should be
// a directory above it may be a file.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
