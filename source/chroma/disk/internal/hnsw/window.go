package hnsw

import (
	"fmt"
)

// windowSize is how much is read at once, at most. Records mostly come in the order of
// their elements, so that one read serves many of them; where a read did not go on from
// the one before, as with records that were added by many at once, it is smallWindow.
const (
	windowSize  = 256 << 10
	smallWindow = 8 << 10
)

// window reads fixed-size entries of a file through one buffer.
type window struct {
	file  *file
	each  int
	count uint64
	alone bool // entries are read one by one

	buf   []byte
	first uint64 // entry at the start of buf
	size  int    // of the last read, in bytes
}

// at gives entry i. It is valid until the next call.
func (w *window) at(i uint64) ([]byte, error) {
	if i >= w.count {
		return nil, fmt.Errorf("entry %d of %d of %s", i, w.count, w.file.name)
	}
	if have := uint64(len(w.buf) / w.each); i < w.first || i >= w.first+have {
		if next := w.first + have; i >= next && i-next <= have {
			w.size = min(max(2*w.size, smallWindow), windowSize)
		} else {
			w.size = smallWindow
		}
		n := min(uint64(max(w.size/w.each, 1)), w.count-i)
		if w.alone {
			n = 1
		}
		want := int(n) * w.each
		if cap(w.buf) < want {
			w.buf = make([]byte, want)
		}
		w.buf = w.buf[:want]
		if err := w.file.readFull(w.buf, int64(i)*int64(w.each)); err != nil {
			w.buf = w.buf[:0]
			return nil, err
		}
		w.first = i
	}
	off := int(i-w.first) * w.each
	return w.buf[off : off+w.each], nil
}
