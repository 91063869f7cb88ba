package dir

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// writer writes one object of a stage.
type writer struct {
	content
	s    *stage
	rel  string
	path string // of the file; elsewhere than its place if the stage can be resumed
}

// Close implements bucket.Writer.
func (w *writer) Close() error {
	if w.done {
		return w.fail(errClosed)
	}
	err := w.finish(w.s.resume)
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if err == nil && w.s.ended {
		err = w.fail(errEnded)
	}
	if place := filepath.Join(w.s.dir, w.rel); err == nil && w.path != place {
		err = w.keep(w.s.b.fsys.Rename(w.path, place))
	}
	if err != nil {
		return errors.Join(err, w.drop())
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
	err := w.s.b.fsys.Remove(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
