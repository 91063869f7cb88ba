package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/inode"
)

const (
	bufferSize = 256 << 10
	// attempts is how often a file that keeps changing is read.
	attempts = 3
	// tick is longer than the grain of the clock that stamps files. A file
	// whose stamp is younger could change again without the stamp moving.
	tick = 20 * time.Millisecond
)

// errChanged tells that a file did not hold still while it was read.
var errChanged = errors.New("changed while it was read")

// single captures a source that is one file.
func (c *capture) single(ctx context.Context, dir *os.Root, name string) error {
	info, err := dir.Lstat(name)
	if err != nil {
		return err
	}
	return c.regular(ctx, dir, name, filepath.Base(c.source.path), info)
}

// regular captures one file as it was at one instant. A file that the last backup
// has is not opened. Any other is read, and read again if it changed meanwhile; if
// it never holds still the last reading is kept, and reported.
func (c *capture) regular(ctx context.Context, dir *os.Root, name, rel string, info fs.FileInfo) error {
	same, err := c.sink.Reuse(entryOf(rel, info), c.stamper.Stamp(inode.StateOf(info)))
	if err != nil {
		return c.abandon(rel, nil, err)
	}
	if same {
		c.facts.Files++
		c.facts.Bytes += info.Size()
		return nil
	}
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		w, n, err := c.pass(ctx, dir, name, rel)
		changed := errors.Is(err, errChanged)
		switch {
		case changed && attempt < attempts:
			if err := w.Discard(); err != nil {
				return err
			}
			continue
		case err != nil && !changed:
			return c.abandon(rel, w, err)
		}
		if changed {
			c.incomplete(rel, "it kept changing while it was read; the copy may mix an older with a newer state", "back up while its owner is quiet; databases have a source of their own")
		}
		c.facts.Files++
		c.facts.Bytes += n
		return w.Close()
	}
}

// entryOf describes a regular file.
func entryOf(rel string, info fs.FileInfo) holdfast.Entry {
	return holdfast.Entry{Path: rel, Mode: info.Mode(), ModTime: info.ModTime(), Size: info.Size()}
}

// abandon ends a file that could not be captured. Trouble with that file alone
// is reported; any other ends the capture.
func (c *capture) abandon(rel string, w holdfast.FileWriter, err error) error {
	if w == nil && errors.Is(err, holdfast.ErrUsage) {
		c.incomplete(rel, "the repository cannot hold this name: "+err.Error(), "rename it")
		return nil
	}
	if w != nil {
		if err := w.Discard(); err != nil {
			return err
		}
	}
	if r, ok := errors.AsType[*readError](err); ok {
		c.unreadable(rel, r.err)
		return nil
	}
	return err
}

// A readError is trouble with the source, as opposed to the sink.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// pass reads a file once into a new writer, which the caller ends, and tells
// how many bytes it has.
func (c *capture) pass(ctx context.Context, dir *os.Root, name, rel string) (holdfast.FileWriter, int64, error) {
	// Without O_NONBLOCK a pipe put in the file's place would hold us for ever.
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, &readError{err}
	}
	defer f.Close()
	before, rest, err := settled(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	w, err := c.sink.Create(entryOf(rel, before))
	if err != nil {
		return nil, 0, err
	}
	n, err := c.copy(ctx, w, f, before.Size())
	if err != nil {
		return w, n, err
	}
	after, err := f.Stat()
	if err != nil {
		return w, n, &readError{err}
	}
	// The name must still be this file: otherwise it was replaced.
	now, err := dir.Lstat(name)
	state := inode.StateOf(before)
	if rest == moving || err != nil || !os.SameFile(now, after) || state != inode.StateOf(after) {
		return w, n, errChanged
	}
	if rest == certain {
		w.Stamp(c.stamper.Stamp(state))
	}
	return w, n, nil
}

// rest tells what the state of a file is worth.
type rest int

const (
	moving  rest = iota // it may change without its state moving
	still               // a further write would move it
	certain             // so would any other change, and none is under way
)

// settled gives the state of a file when it is so old that any further change
// moves it. It waits a moment for that.
func settled(ctx context.Context, f *os.File) (info fs.FileInfo, r rest, err error) {
	for wait := 2 * tick; ; wait = 0 { // the clock itself moves in steps
		now := inode.Clock()
		if info, err = f.Stat(); err != nil {
			return nil, moving, &readError{err}
		}
		if !info.Mode().IsRegular() {
			return nil, moving, &readError{fs.ErrNotExist} // the file that was found is gone
		}
		shows := inode.ShowsWrites(f, inode.Mappings) && inode.Await(f, inode.Mappings) == nil
		if shows {
			if info, err = f.Stat(); err != nil {
				return nil, moving, &readError{err}
			}
		}
		state := inode.StateOf(info)
		switch {
		case state.Rested(now, tick) && shows:
			return info, certain, nil
		case state.Rested(now, tick), state.Changed().After(now.Add(tick)):
			return info, still, nil
		case wait == 0:
			return info, moving, nil
		}
		select {
		case <-ctx.Done():
			return nil, moving, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// copy reads the first size bytes of f into w, holes as holes, and tells how
// many there were.
func (c *capture) copy(ctx context.Context, w holdfast.FileWriter, f *os.File, size int64) (n int64, err error) {
	for n < size {
		start, end, err := inode.NextData(f, n, size)
		if err != nil {
			return n, &readError{err}
		}
		if start > n {
			if err := w.Skip(start - n); err != nil {
				return n, err
			}
		}
		if n, err = c.copyRange(ctx, w, f, start, end); err != nil {
			return n, err
		}
	}
	return n, nil
}

// copyRange reads the bytes from start to end of f into w and tells how far it
// came.
func (c *capture) copyRange(ctx context.Context, w io.Writer, f *os.File, start, end int64) (int64, error) {
	for start < end {
		if err := ctx.Err(); err != nil {
			return start, err
		}
		n, err := f.ReadAt(c.buf[:min(int64(len(c.buf)), end-start)], start)
		if _, err := w.Write(c.buf[:n]); err != nil {
			return start, err
		}
		start += int64(n)
		switch {
		case errors.Is(err, io.EOF) && start < end:
			return start, errChanged // it was cut short meanwhile
		case err != nil && !errors.Is(err, io.EOF):
			return start, &readError{err}
		}
	}
	return start, nil
}
