package botapi

import (
	"errors"
	"io"
	"io/fs"
	"sync"
)

// source is what an attempt sends. It remembers that reading failed, which the library
// tells like any other error of a request, and it is read no more once it is closed: the
// library may still be at it when the answer has come.
type source struct {
	mu     sync.Mutex
	from   io.ReadCloser
	closed bool
	err    error
}

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, fs.ErrClosed
	}
	n, err := s.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// end closes it and tells why it could not be read; nil if it could.
func (s *source) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	_ = s.from.Close() // it was only read
	return s.err
}
