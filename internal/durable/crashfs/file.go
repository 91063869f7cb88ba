package crashfs

import (
	"io"
	"os"

	"github.com/holdfast-backup/holdfast/internal/durable"
)

var _ durable.File = (*file)(nil)

// A file is an open handle. Writes go to the real file at once; the node
// remembers what a power cut would lose.
type file struct {
	d    *Disk
	f    *os.File
	n    *node
	name string
	off  int64
}

func (d *Disk) handle(f *os.File, n *node, name string) *file {
	h := &file{d: d, f: f, n: n, name: name}
	d.open[h] = true
	return h
}

// Name implements durable.File.
func (f *file) Name() string { return f.name }

// Write implements io.Writer.
func (f *file) Write(p []byte) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	n, err := f.write(p, f.off)
	f.off += int64(n)
	return n, err
}

// WriteAt implements io.WriterAt.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return f.write(p, off)
}

func (f *file) write(p []byte, off int64) (int, error) {
	dead := f.d.cutAt != ""
	err := f.d.begin("write", f.name)
	if err == ErrCut && !dead {
		p = p[:len(p)/2] // the cut tears the write that it meets
	} else if err != nil {
		return 0, err
	}
	size, serr := f.size()
	if serr != nil {
		return 0, serr
	}
	f.n.change(size)
	f.n.overwrite(off, off+int64(len(p)))
	n, werr := f.f.WriteAt(p, off)
	if err != nil {
		return 0, err
	}
	return n, werr
}

func (f *file) size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.alive(); err != nil {
		return 0, err
	}
	return f.f.ReadAt(p, off)
}

// Truncate implements durable.File.
func (f *file) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.begin("truncate", f.name); err != nil {
		return err
	}
	old, err := f.size()
	if err != nil {
		return err
	}
	f.n.change(old)
	if end := min(old, f.n.size); size < end && (f.n.tail == nil || size < f.n.tailAt) {
		if err := f.keepTail(size, end); err != nil {
			return err
		}
	}
	return f.f.Truncate(size)
}

// keepTail saves what a truncation takes from the durable part of the file.
func (f *file) keepTail(from, to int64) error {
	cut := make([]byte, to-from)
	if _, err := f.f.ReadAt(cut, from); err != nil && err != io.EOF {
		return err
	}
	if f.n.tail != nil {
		cut = append(cut[:min(int64(len(cut)), f.n.tailAt-from)], f.n.tail...)
	}
	f.n.tail, f.n.tailAt = cut, from
	return nil
}

// Sync implements durable.File.
func (f *file) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.begin("sync", f.name); err != nil {
		return err
	}
	f.n.settle()
	return nil
}

// Close implements io.Closer. It changes nothing and is not counted.
func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	delete(f.d.open, f)
	err := f.f.Close()
	if cut := f.d.alive(); cut != nil {
		return cut
	}
	return err
}
