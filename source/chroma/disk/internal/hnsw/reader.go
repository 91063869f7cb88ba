package hnsw

import (
	"bufio"
	"errors"
	"io"
)

// reader reads a file from its start in pieces of at most a few hundred
// kilobytes; an end of file is damage.
type reader struct {
	r   *bufio.Reader
	buf []byte
	of  *file
}

func newReader(f *file) *reader {
	return &reader{r: bufio.NewReaderSize(io.NewSectionReader(f, 0, f.size), windowSize), of: f}
}

// next gives the next n bytes, valid until the next call.
func (r *reader) next(n int) ([]byte, error) {
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	b := r.buf[:n]
	if _, err := io.ReadFull(r.r, b); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, damaged("%s ends too early", r.of.name)
		}
		return nil, err
	}
	return b, nil
}
