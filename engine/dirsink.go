package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// A dirSink captures a source into a plain directory: the copy of the present
// state that a restore of memory alone changes. Reading through the source's
// own capture keeps to its locking protocol, even if an owner is still there.
type dirSink struct {
	fsys durable.FS
	dir  string
}

var _ holdfast.Sink = (*dirSink)(nil)

// place gives the place of an entry, and refuses one that would lie outside.
func (s *dirSink) place(path string) (string, error) {
	if !fs.ValidPath(path) || path == "." || !filepath.IsLocal(filepath.FromSlash(path)) {
		return "", fmt.Errorf("%q is not a path inside a source", path)
	}
	name := filepath.Join(s.dir, filepath.FromSlash(path))
	return name, durable.MkdirAll(s.fsys, filepath.Dir(name), 0o700)
}

// Create implements holdfast.Sink.
func (s *dirSink) Create(e holdfast.Entry) (holdfast.FileWriter, error) {
	name, err := s.place(e.Path)
	if err != nil {
		return nil, err
	}
	if err := s.fsys.RemoveAll(name); err != nil {
		return nil, err
	}
	f, err := s.fsys.Create(name, 0o600)
	if err != nil {
		return nil, err
	}
	return &dirFile{sink: s, f: f, entry: e, name: name}, nil
}

// Add implements holdfast.Sink.
func (s *dirSink) Add(e holdfast.Entry) error {
	if e.Path == "." && e.Mode.IsDir() {
		return nil // the stage gets the mode of the target it replaces
	}
	name, err := s.place(e.Path)
	switch {
	case err != nil:
		return err
	case e.Mode&fs.ModeSymlink != 0:
		return s.fsys.Symlink(e.Link, name)
	case e.Mode.IsDir():
		if err := durable.MkdirAll(s.fsys, name, 0o700); err != nil {
			return err
		}
		return s.fsys.Chmod(name, e.Mode.Perm()|0o700)
	}
	return fmt.Errorf("%s is neither a directory nor a link", e.Path)
}

// Remove implements holdfast.Sink.
func (s *dirSink) Remove(path string) error {
	name, err := s.place(path)
	if err != nil {
		return err
	}
	return s.fsys.RemoveAll(name)
}

// Reuse implements holdfast.Sink: a directory has no last backup.
func (s *dirSink) Reuse(holdfast.Entry, string) (bool, error) { return false, nil }

// A dirFile is one file being captured. Skipped runs become holes.
type dirFile struct {
	sink  *dirSink
	f     durable.File
	entry holdfast.Entry
	name  string
	off   int64
	done  bool
}

func (w *dirFile) Write(p []byte) (int, error) {
	n, err := w.f.WriteAt(p, w.off)
	w.off += int64(n)
	return n, err
}

// Skip implements holdfast.FileWriter.
func (w *dirFile) Skip(n int64) error {
	w.off += n
	return nil
}

// Reset implements holdfast.FileWriter.
func (w *dirFile) Reset() error {
	w.off = 0
	return w.f.Truncate(0)
}

// Stamp implements holdfast.FileWriter.
func (w *dirFile) Stamp(string) {}

// Close implements holdfast.FileWriter.
func (w *dirFile) Close() error {
	if w.done {
		return nil
	}
	w.done = true
	if err := errors.Join(w.f.Truncate(w.off), w.f.Close()); err != nil {
		return err
	}
	if perm := w.entry.Mode.Perm(); perm != 0 {
		if err := w.sink.fsys.Chmod(w.name, perm); err != nil {
			return err
		}
	}
	if w.entry.ModTime.IsZero() {
		return nil
	}
	return w.sink.fsys.Chtimes(w.name, w.entry.ModTime)
}

// Discard implements holdfast.FileWriter.
func (w *dirFile) Discard() error {
	if w.done {
		return nil
	}
	w.done = true
	return errors.Join(w.f.Close(), w.sink.fsys.Remove(w.name))
}
