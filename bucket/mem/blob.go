package mem

import (
	"io"
	"sort"

	"github.com/holdfast-backup/holdfast/bucket"
)

// A blob is a sequence of bytes with holes: parts in order, zeros between them.
type blob struct {
	parts []part
	size  int64
}

type part struct {
	off  int64
	data []byte
}

func (p part) end() int64 { return p.off + int64(len(p.data)) }

func newBlob(data []byte) *blob {
	b := &blob{size: int64(len(data))}
	if len(data) > 0 {
		b.parts = []part{{0, data}}
	}
	return b
}

// append adds a copy of data; the last part grows if nothing lies between.
func (b *blob) append(data []byte) {
	if len(data) == 0 {
		return
	}
	if n := len(b.parts); n == 0 || b.parts[n-1].end() != b.size {
		b.parts = append(b.parts, part{off: b.size})
	}
	last := &b.parts[len(b.parts)-1]
	last.data = append(last.data, data...)
	b.size += int64(len(data))
}

// bytes gives a copy of the whole content.
func (b *blob) bytes() []byte {
	all := make([]byte, b.size)
	for _, p := range b.parts {
		copy(all[p.off:], p.data)
	}
	return all
}

func (b *blob) readAt(buf []byte, off int64) int {
	n := int(min(int64(len(buf)), b.size-off))
	clear(buf[:n])
	end := off + int64(n)
	first := sort.Search(len(b.parts), func(i int) bool { return b.parts[i].end() > off })
	for _, p := range b.parts[first:] {
		if p.off >= end {
			break
		}
		if p.off >= off {
			copy(buf[p.off-off:n], p.data)
		} else {
			copy(buf[:n], p.data[off-p.off:])
		}
	}
	return n
}

// reader is an open object; the blob it reads is never changed.
type reader struct{ b *blob }

var _ bucket.Object = reader{}

// Size implements bucket.Object.
func (r reader) Size() int64 { return r.b.size }

// Close implements io.Closer.
func (r reader) Close() error { return nil }

// ReadAt implements io.ReaderAt.
func (r reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errNegative
	}
	if off >= r.b.size {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := r.b.readAt(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
