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
// tenths of a second, and it is taken often. A larger tree cannot be peeked at.
const maxPeek = 100_000

// Peek implements holdfast.Peeker by a look at every entry of the tree that a
// capture would take in; directories are listed, no file is opened. A tree of
// more than 100,000 entries is refused, and so is one whose entries cannot be
// looked at: a watch that leaves something out would be trusted wrongly.
//
// A program that writes to a file through mapped memory shows some moments later,
// on a tmpfs not at all: what such a program keeps is found by the next scheduled
// backup at the earliest that reads it.
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
	p.sight.Add(".", inode.StateOf(info), info.Mode().String())
	if !info.IsDir() {
		return nil
	}
	stack := []string{"."}
	for len(stack) > 0 {
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
				return nil, p.tooMany()
			}
			info, err := e.Info()
			if isAbsent(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			p.sight.Add(rel, inode.StateOf(info), info.Mode().String())
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

func (p *peek) tooMany() error {
	return &holdfast.Error{
		Op: "look at", Object: printable(p.source.path), Err: holdfast.Kindf(holdfast.ErrRefused, "it has more than %d entries, too many to be watched", maxPeek),
		Hint: "exclude what need not be backed up, or rely on scheduled backups of source " + p.source.name,
	}
}

// isAbsent tells that there is nothing of this name, nor can be: what should be
// a directory above it may be a file.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
