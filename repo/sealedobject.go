package repo

import (
	"io"
	"slices"
	"sync"

	"github.com/holdfast-backup/holdfast/bucket"
)

// Sizes of the chunks of an age file, which are encrypted one by one.
const (
	sealedChunk  = 64 << 10
	chunkTag     = 16 // of the authentication
	sealedPacked = sealedChunk + chunkTag
)

// A sealedObject is the plaintext of an age file.
type sealedObject struct {
	ahead *readAhead
	plain io.ReaderAt
	size  int64
}

// Size implements bucket.Object.
func (s *sealedObject) Size() int64 { return s.size }

// Close implements io.Closer.
func (s *sealedObject) Close() error { return s.ahead.obj.Close() }

// ReadAt implements io.ReaderAt. Where several chunks are needed they are read
// at once: by age's own steps each would be a request to a bucket far away.
func (s *sealedObject) ReadAt(p []byte, off int64) (int, error) {
	first, end := off/sealedChunk, min(off+int64(len(p)), s.size)
	last := (end - 1) / sealedChunk
	if off < 0 || off >= s.size || first >= last {
		return s.plain.ReadAt(p, off)
	}
	chunks := (s.size + sealedChunk - 1) / sealedChunk
	header := s.ahead.obj.Size() - s.size - chunks*chunkTag
	w, err := s.ahead.load(header+first*sealedPacked, min(header+(last+1)*sealedPacked, s.ahead.obj.Size()))
	if err != nil {
		return 0, err
	}
	defer s.ahead.drop(w)
	return s.plain.ReadAt(p, off)
}

// A readAhead is an object of which some pieces were read already. It may be
// used by several goroutines.
type readAhead struct {
	obj bucket.Object

	mu      sync.Mutex
	windows []*window
}

// A window is a piece of an object in memory.
type window struct {
	off  int64
	data []byte
}

var windowBuffers = sync.Pool{New: func() any { return new(window) }}

// load reads the bytes from off to end and keeps them until drop.
func (r *readAhead) load(off, end int64) (*window, error) {
	w := windowBuffers.Get().(*window)
	w.off, w.data = off, slices.Grow(w.data[:0], int(end-off))[:end-off]
	if err := readFull(r.obj, w.data, off); err != nil {
		windowBuffers.Put(w)
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.windows = append(r.windows, w)
	return w, nil
}

// drop forgets a window.
func (r *readAhead) drop(w *window) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.windows, w); i >= 0 {
		r.windows = slices.Delete(r.windows, i, i+1)
		windowBuffers.Put(w)
	}
}

// ReadAt implements io.ReaderAt.
func (r *readAhead) ReadAt(p []byte, off int64) (int, error) {
	if r.copy(p, off) {
		return len(p), nil
	}
	return r.obj.ReadAt(p, off)
}

// copy fills p from a window that has it all.
func (r *readAhead) copy(p []byte, off int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.windows {
		if at := off - w.off; at >= 0 && at+int64(len(p)) <= int64(len(w.data)) {
			copy(p, w.data[at:])
			return true
		}
	}
	return false
}
