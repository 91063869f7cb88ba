package supervise

import (
	"context"
	"io"
	"io/fs"
	"os"

	"github.com/holdfast-backup/holdfast"
)

// copyDatabase writes a consistent copy of a database to a file of this mode,
// through the source's own capture, which keeps to SQLite's locking.
func copyDatabase(ctx context.Context, from holdfast.Source, path string, mode fs.FileMode) error {
	got, err := from.Capture(ctx, &fileSink{path: path})
	if err != nil {
		return err
	}
	for _, p := range got.Problems {
		if p.Severity == holdfast.Damaged {
			return holdfast.Kindf(holdfast.ErrDamaged, "%s", p.Message)
		}
	}
	return os.Chmod(path, mode)
}

// A fileSink takes the one file of a SQLite source.
type fileSink struct{ path string }

var _ holdfast.Sink = (*fileSink)(nil)

// Create implements holdfast.Sink.
func (s *fileSink) Create(holdfast.Entry) (holdfast.FileWriter, error) {
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &fileWriter{f: f}, nil
}

// Add implements holdfast.Sink: a database is one file.
func (s *fileSink) Add(holdfast.Entry) error { return nil }

// Remove implements holdfast.Sink.
func (s *fileSink) Remove(string) error { return os.Remove(s.path) }

// Reuse implements holdfast.Sink: there is no earlier copy.
func (s *fileSink) Reuse(holdfast.Entry, string) (bool, error) { return false, nil }

// A fileWriter writes it.
type fileWriter struct {
	f      *os.File
	size   int64
	closed bool
}

// Write implements io.Writer.
func (w *fileWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.size += int64(n)
	return n, err
}

// Skip implements holdfast.FileWriter.
func (w *fileWriter) Skip(n int64) error {
	w.size += n
	_, err := w.f.Seek(n, io.SeekCurrent)
	return err
}

// Reset implements holdfast.FileWriter.
func (w *fileWriter) Reset() error {
	w.size = 0
	if _, err := w.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return w.f.Truncate(0)
}

// Stamp implements holdfast.FileWriter: nothing is compared here.
func (w *fileWriter) Stamp(string) {}

// Close implements holdfast.FileWriter.
func (w *fileWriter) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	err := w.f.Truncate(w.size)
	if err == nil {
		err = w.f.Sync()
	}
	if cerr := w.f.Close(); err == nil {
		err = cerr
	}
	return err
}

// Discard implements holdfast.FileWriter.
func (w *fileWriter) Discard() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return w.f.Close()
}
