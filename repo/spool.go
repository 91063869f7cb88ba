package repo

import (
	"errors"
	"io"
	"os"
)

// A spool keeps bytes for a second reading: the first limit of them in memory,
// the rest in a private temporary file. It is written, then read, from front
// to back; the zero spool with a limit is empty.
type spool struct {
	limit int
	mem   []byte
	file  *os.File
	size  int64 // bytes in file
	read  int64 // bytes read so far, of mem and file together
}

// Write implements io.Writer.
func (s *spool) Write(b []byte) (int, error) {
	if s.file == nil && len(s.mem)+len(b) <= s.limit {
		s.mem = append(s.mem, b...)
		return len(b), nil
	}
	if s.file == nil {
		f, err := os.CreateTemp("", "holdfast-*")
		if err != nil {
			return 0, err
		}
		s.file = f
		// Where an open file can lose its name, a crash leaves nothing
		// behind; elsewhere close removes it.
		_ = os.Remove(f.Name())
	}
	n, err := s.file.WriteAt(b, s.size)
	s.size += int64(n)
	return n, err
}

// next fills p with the bytes that follow.
func (s *spool) next(p []byte) error {
	if s.read < int64(len(s.mem)) {
		n := copy(p, s.mem[s.read:])
		s.read += int64(n)
		p = p[n:]
	}
	if len(p) == 0 {
		return nil
	}
	if s.file == nil {
		return io.ErrUnexpectedEOF
	}
	err := readFull(s.file, p, s.read-int64(len(s.mem)))
	s.read += int64(len(p))
	return err
}

// rewind begins reading again.
func (s *spool) rewind() { s.read = 0 }

// close forgets everything.
func (s *spool) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	err := s.file.Close()
	if e := os.Remove(s.file.Name()); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	s.file, s.mem = nil, nil
	return err
}
