package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/holdfast-backup/holdfast/internal/durable"
)

var (
	errClosed   = fmt.Errorf("the object has ended: %w", fs.ErrClosed)
	errNegative = errors.New("negative length")
)

// writer writes one object of a stage; one goroutine uses it.
type writer struct {
	s    *stage
	ctx  context.Context // of Create: io.Writer has none
	rel  string
	f    durable.File
	off  int64
	hole bool  // the object ends, so far, in a hole
	done bool  // closed or discarded
	err  error // the first failure; nothing good comes after it
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := w.f.WriteAt(p, w.off)
	w.off += int64(n)
	w.hole = false
	return n, w.keep(err)
}

// Skip implements bucket.Writer.
func (w *writer) Skip(n int64) error {
	if err := w.ready(); err != nil {
		return err
	}
	if n < 0 {
		return w.s.fail("write", w.rel, errNegative)
	}
	w.off += n
	w.hole = w.hole || n > 0
	return nil
}

// ready looks whether the writer can still take something.
func (w *writer) ready() error {
	switch {
	case w.done:
		return w.s.fail("write", w.rel, errClosed)
	case w.err != nil:
		return w.err
	case w.ctx.Err() != nil:
		return context.Cause(w.ctx)
	}
	return nil
}

// keep remembers the first failure, so that half an object cannot be closed.
func (w *writer) keep(err error) error {
	if err != nil && w.err == nil {
		w.err = w.s.fail("write", w.rel, err)
	}
	return w.err
}

// Close implements bucket.Writer.
func (w *writer) Close() error {
	if w.done {
		return w.s.fail("write", w.rel, errClosed)
	}
	w.done = true
	if err := w.ctx.Err(); err != nil && w.err == nil {
		w.err = context.Cause(w.ctx)
	}
	if w.hole && w.err == nil {
		_ = w.keep(w.f.Truncate(w.off))
	}
	_ = w.keep(w.f.Close())
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.err != nil {
		return errors.Join(w.err, w.drop())
	}
	delete(w.s.writers, w.rel)
	return nil
}

// Discard implements bucket.Writer.
func (w *writer) Discard() error {
	if w.done {
		return nil
	}
	w.done = true
	cerr := w.f.Close()
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if err := errors.Join(cerr, w.drop()); err != nil {
		return w.s.fail("discard", w.rel, err)
	}
	return nil
}

// drop removes what was written; the caller holds the mutex. A stage that has
// ended has removed it already.
func (w *writer) drop() error {
	delete(w.s.writers, w.rel)
	if w.s.ended {
		return nil
	}
	err := w.s.b.fsys.Remove(filepath.Join(w.s.dir, w.rel))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
