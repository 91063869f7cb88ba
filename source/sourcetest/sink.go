package sourcetest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A Sink is a holdfast.Sink that keeps a capture in a directory, where any
// program can open it. It holds a source to the rules of sinks: a path that
// is not valid, a second writer for a path, or a write after Close is an
// error.
type Sink struct {
	// Dir is where the captured files are.
	Dir string
	// FailAfter makes every write fail once so many bytes were written;
	// zero never fails.
	FailAfter int64

	mu      sync.Mutex
	entries map[string]holdfast.Entry
	open    map[string]bool
	resets  map[string]int
	stamps  map[string]string
	last    *Sink
	reused  int
	written int64
}

// ErrSink is the failure of a sink whose FailAfter was reached.
var ErrSink = errors.New("sink is full")

// NewSink makes a sink in a new temporary directory.
func NewSink(t testing.TB) *Sink {
	t.Helper()
	return &Sink{
		Dir:     t.TempDir(),
		entries: map[string]holdfast.Entry{},
		open:    map[string]bool{},
		resets:  map[string]int{},
		stamps:  map[string]string{},
	}
}

// FS is the captured copy as a check sees it.
func (s *Sink) FS() fs.FS { return os.DirFS(s.Dir) }

// Path is where a captured file is on disk.
func (s *Sink) Path(name string) string { return filepath.Join(s.Dir, filepath.FromSlash(name)) }

// Entries are the files, directories and links of the capture, by path.
func (s *Sink) Entries() map[string]holdfast.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make(map[string]holdfast.Entry, len(s.entries))
	for p, e := range s.entries {
		entries[p] = e
	}
	return entries
}

// Resets tells how often a file was begun again.
func (s *Sink) Resets(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resets[name]
}

// Unfinished lists the paths whose writer was neither closed nor discarded.
func (s *Sink) Unfinished() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.open {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Create implements holdfast.Sink.
func (s *Sink) Create(e holdfast.Entry) (holdfast.FileWriter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(e); err != nil {
		return nil, err
	}
	if !e.Mode.IsRegular() {
		return nil, fmt.Errorf("create %s: %v is not a regular file", e.Path, e.Mode)
	}
	if s.open[e.Path] {
		return nil, fmt.Errorf("create %s: its writer is still open", e.Path)
	}
	f, err := os.Create(s.Path(e.Path))
	if err != nil {
		return nil, err
	}
	s.open[e.Path] = true
	delete(s.stamps, e.Path) // of what Reuse may have put there
	return &writer{sink: s, entry: e, file: f}, nil
}

// Add implements holdfast.Sink. The path "." stands for the source's folder
// itself.
func (s *Sink) Add(e holdfast.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(e); err != nil {
		return err
	}
	switch e.Mode.Type() {
	case fs.ModeDir:
		if err := os.MkdirAll(s.Path(e.Path), 0o755); err != nil {
			return err
		}
	case fs.ModeSymlink:
		if err := os.Symlink(e.Link, s.Path(e.Path)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("add %s: %v is neither a directory nor a symbolic link", e.Path, e.Mode)
	}
	s.entries[e.Path] = e
	return nil
}

func (s *Sink) begin(e holdfast.Entry) error {
	if !fs.ValidPath(e.Path) || e.Path == "." && !e.Mode.IsDir() {
		return fmt.Errorf("entry %q: not a valid path", e.Path)
	}
	return os.MkdirAll(s.Path(path.Dir(e.Path)), 0o755)
}

// Reuse implements holdfast.Sink. What KeepFrom gave is reused if the stamps are
// equal.
func (s *Sink) Reuse(e holdfast.Entry, stamp string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(e); err != nil {
		return false, err
	}
	if s.last == nil || stamp == "" || s.last.stamps[e.Path] != stamp {
		return false, nil
	}
	data, err := os.ReadFile(s.last.Path(e.Path))
	if err == nil {
		err = os.WriteFile(s.Path(e.Path), data, 0o600)
	}
	if err != nil {
		return false, err
	}
	s.entries[e.Path], s.stamps[e.Path] = e, stamp
	s.reused++
	return true, nil
}

// KeepFrom makes last the last backup of this capture.
func (s *Sink) KeepFrom(last *Sink) { s.last = last }

// Reused tells how often Reuse did.
func (s *Sink) Reused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reused
}

// Stamps gives the stamps of the files, by path.
func (s *Sink) Stamps() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.stamps)
}

// Remove implements holdfast.Sink.
func (s *Sink) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[name] {
		return fmt.Errorf("remove %s: its writer is still open", name)
	}
	if _, ok := s.entries[name]; !ok {
		return fmt.Errorf("remove %s: it was never created", name)
	}
	delete(s.entries, name)
	delete(s.stamps, name)
	return os.RemoveAll(s.Path(name))
}

func (s *Sink) count(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += int64(n)
	if s.FailAfter > 0 && s.written > s.FailAfter {
		return ErrSink
	}
	return nil
}

// writer writes one file of a Sink.
type writer struct {
	sink  *Sink
	entry holdfast.Entry
	file  *os.File
	size  int64
	stamp string
	done  bool
}

func (w *writer) Write(p []byte) (int, error) {
	if w.done {
		return 0, fmt.Errorf("write %s: %w", w.entry.Path, fs.ErrClosed)
	}
	if err := w.sink.count(len(p)); err != nil {
		return 0, err
	}
	n, err := w.file.WriteAt(p, w.size)
	w.size += int64(n)
	return n, err
}

func (w *writer) Skip(n int64) error {
	if w.done {
		return fmt.Errorf("skip %s: %w", w.entry.Path, fs.ErrClosed)
	}
	if n < 0 {
		return fmt.Errorf("skip %s: %d bytes", w.entry.Path, n)
	}
	w.size += n
	return nil
}

func (w *writer) Reset() error {
	if w.done {
		return fmt.Errorf("reset %s: %w", w.entry.Path, fs.ErrClosed)
	}
	w.sink.mu.Lock()
	w.sink.resets[w.entry.Path]++
	w.sink.mu.Unlock()
	w.size, w.stamp = 0, ""
	return w.file.Truncate(0)
}

func (w *writer) Stamp(stamp string) { w.stamp = stamp }

func (w *writer) Close() error {
	if w.done {
		return fmt.Errorf("close %s: %w", w.entry.Path, fs.ErrClosed)
	}
	w.end()
	err := errors.Join(w.file.Truncate(w.size), w.file.Close())
	if err == nil {
		w.sink.mu.Lock()
		w.sink.entries[w.entry.Path] = w.entry
		if w.stamp != "" {
			w.sink.stamps[w.entry.Path] = w.stamp
		}
		w.sink.mu.Unlock()
	}
	return err
}

func (w *writer) Discard() error {
	if w.done {
		return nil
	}
	w.end()
	return errors.Join(w.file.Close(), os.Remove(w.file.Name()))
}

func (w *writer) end() {
	w.done = true
	w.sink.mu.Lock()
	delete(w.sink.open, w.entry.Path)
	w.sink.mu.Unlock()
}
