package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/inode"
)

const (
	// batch bounds how many names of a directory are held at once.
	batch = 1024
	// maxPath leaves room for the place that a tree is restored to within the
	// 4096 bytes that Linux allows for a path.
	maxPath = 3072
	// maxProblems bounds the problems told one by one; the rest are counted.
	maxProblems = 1000
)

// A capture is one walk over a source.
type capture struct {
	source   *Source
	sink     holdfast.Sink
	buf      []byte
	stamper  inode.Stamper
	facts    holdfast.FilesFacts
	excluded int64
	problems []holdfast.Problem
	untold   int64
}

// A visit is a directory that is still to be walked or, once listed, left.
type visit struct {
	rel    string
	info   fs.FileInfo
	listed bool
}

// tree walks everything below root. Pending directories wait on a stack of our
// own rather than in recursion, so that a deep tree costs no open files.
func (c *capture) tree(ctx context.Context, root *os.Root) error {
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	if err := c.sink.Add(holdfast.Entry{Path: ".", Mode: info.Mode(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	stack := []visit{{rel: ".", info: info}}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if v.listed {
			c.leave(root, v)
			continue
		}
		v.listed = true
		stack = append(stack, v)
		below, err := c.list(ctx, root, v)
		if err != nil {
			return err
		}
		stack = append(stack, below...)
	}
	return nil
}

// list captures the entries of one directory and gives the directories in it.
func (c *capture) list(ctx context.Context, root *os.Root, v visit) ([]visit, error) {
	dir, err := openSame(root, v)
	if err != nil {
		if v.rel == "." {
			return nil, err // not even the source's own directory can be read
		}
		c.unreadable(v.rel, err)
		return nil, nil
	}
	defer dir.Close()
	names, err := dir.Open(".")
	if err != nil {
		if v.rel == "." {
			return nil, err
		}
		c.unreadable(v.rel, err)
		return nil, nil
	}
	defer names.Close()

	var below []visit
	for {
		entries, err := names.ReadDir(batch)
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			sub, err := c.entry(ctx, dir, e.Name(), path.Join(v.rel, e.Name()))
			if err != nil {
				return nil, err
			}
			if sub != nil {
				below = append(below, *sub)
			}
		}
		if errors.Is(err, io.EOF) {
			return below, nil
		}
		if err != nil {
			c.unreadable(v.rel, err)
			return below, nil
		}
	}
}

// openSame opens a directory if it is still the one that was found, so that a
// link put in its place is not followed.
func openSame(root *os.Root, v visit) (*os.Root, error) {
	dir, err := root.OpenRoot(v.rel)
	if err != nil {
		return nil, err
	}
	info, err := dir.Stat(".")
	if err == nil && !os.SameFile(info, v.info) {
		err = fs.ErrNotExist // what was found is gone
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// entry captures one name of a directory; a directory is returned, to be
// walked later.
func (c *capture) entry(ctx context.Context, dir *os.Root, name, rel string) (*visit, error) {
	info, err := dir.Lstat(name)
	if err != nil {
		c.unreadable(rel, err)
		return nil, nil
	}
	if c.source.exclude.match(rel, info.IsDir()) {
		c.excluded++
		return nil, nil
	}
	switch {
	case !utf8.ValidString(name):
		c.incomplete(rel, "its name is not valid UTF-8 and cannot be recorded", "rename it")
		return nil, nil
	case len(rel) > maxPath:
		c.incomplete(rel[:64]+"…", fmt.Sprintf("its path has %d bytes, too long to be restored", len(rel)), "move it higher up")
		return nil, nil
	}
	switch mode := info.Mode(); mode.Type() {
	case 0:
		return nil, c.regular(ctx, dir, name, rel, info)
	case fs.ModeDir:
		ok, err := c.add(holdfast.Entry{Path: rel, Mode: mode, ModTime: info.ModTime()})
		if !ok || err != nil {
			return nil, err
		}
		c.facts.Dirs++
		return &visit{rel: rel, info: info}, nil
	case fs.ModeSymlink:
		return nil, c.symlink(dir, name, rel, info)
	default:
		c.incomplete(rel, typeName(mode)+" cannot be backed up", "exclude it to be rid of this message")
		return nil, nil
	}
}

func (c *capture) symlink(dir *os.Root, name, rel string, info fs.FileInfo) error {
	link, err := dir.Readlink(name)
	if err != nil {
		c.unreadable(rel, err)
		return nil
	}
	if !utf8.ValidString(link) {
		c.incomplete(rel, "the target of this link is not valid UTF-8 and cannot be recorded", "make it again with another target")
		return nil
	}
	ok, err := c.add(holdfast.Entry{Path: rel, Mode: info.Mode(), ModTime: info.ModTime(), Link: link})
	if ok {
		c.facts.Symlinks++
	}
	return err
}

// add gives a directory or link to the sink. A name that the repository cannot
// hold is a problem of that name only.
func (c *capture) add(e holdfast.Entry) (bool, error) {
	err := c.sink.Add(e)
	if errors.Is(err, holdfast.ErrUsage) {
		c.incomplete(e.Path, "the repository cannot hold this name: "+err.Error(), "rename it")
		return false, nil
	}
	return err == nil, err
}

// leave looks whether a directory changed while its files were read: what was
// made or renamed meanwhile may be missing.
func (c *capture) leave(root *os.Root, v visit) {
	info, err := root.Lstat(v.rel)
	if err == nil && os.SameFile(info, v.info) && inode.StateOf(info) == inode.StateOf(v.info) {
		return
	}
	c.report(holdfast.Problem{
		Object: printable(v.rel), Severity: holdfast.Warning,
		Message: "entries of this directory were made, renamed or removed while it was read; the newest may be missing",
	})
}

// unreadable reports an entry that could not be read.
func (c *capture) unreadable(rel string, err error) {
	p := holdfast.Problem{Object: printable(rel), Severity: holdfast.Incomplete, Message: reason(err)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Severity, p.Message = holdfast.Warning, "it vanished while the tree was read"
	case errors.Is(err, fs.ErrPermission):
		p.Hint = "run as a user who may read it, or exclude it"
	case errors.Is(err, syscall.EIO):
		p.Severity, p.Hint = holdfast.Damaged, "the disk cannot read it: see the system's log"
	}
	c.report(p)
}

// reason is an error without the path that the problem names anyway.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return "it cannot be read: " + err.Error()
}

func (c *capture) incomplete(rel, message, hint string) {
	c.report(holdfast.Problem{Object: printable(rel), Severity: holdfast.Incomplete, Message: message, Hint: hint})
}

func (c *capture) report(p holdfast.Problem) {
	if len(c.problems) == maxProblems {
		c.untold++
		return
	}
	p.Source = c.source.name
	c.problems = append(c.problems, p)
}

// captured is the outcome of the walk.
func (c *capture) captured() holdfast.Captured {
	method := "tree walk"
	if c.excluded > 0 {
		method = fmt.Sprintf("tree walk, %d excluded", c.excluded)
	}
	problems := c.problems
	if c.untold > 0 {
		problems = append(problems, holdfast.Problem{
			Source: c.source.name, Severity: holdfast.Incomplete,
			Message: fmt.Sprintf("%d more problems like these were left untold", c.untold),
		})
	}
	return holdfast.Captured{Method: method, Facts: holdfast.Facts{Files: &c.facts}, Problems: problems}
}
