package hnsw

import (
	"fmt"
)

// windowSize is how much is read at once. Records mostly come in the order of
// their elements, so that one read serves many of them.
const windowSize = 256 << 10

// window reads fixed-size entries of a file through one buffer.
type window struct {
	file  *file
	each  int
	count uint64
	alone bool // entries are read one by one

	buf   []byte
	first uint64 // entry at the start of buf
}

// at gives entry i. It is valid until the next call.
func (w *window) at(i uint64) ([]byte, error) {
	if i >= w.count {
		return nil, fmt.Errorf("entry %d of %d of %s", i, w.count, w.file.name)
	}
	if have := uint64(len(w.buf) / w.each); i < w.first || i >= w.first+have {
		n := min(uint64(max(windowSize/w.each, 1)), w.count-i)
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
