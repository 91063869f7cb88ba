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
	kept  bool  // the file is not temporary
}

// spoolOf reads the whole of a file that stays where it is.
func spoolOf(f *os.File, size int64) *spool { return &spool{file: f, size: size, kept: true} }

// Write implements io.Writer.
func (s *spool) Write(b []byte) (int, error) {
	if s.inMemory(int64(len(b))) {
		s.mem = append(s.mem, b...)
		return len(b), nil
	}
	if err := s.overflow(); err != nil {
		return 0, err
	}
	n, err := s.file.WriteAt(b, s.size)
	s.size += int64(n)
	return n, err
}

// skip adds n bytes of zeros, a hole where the file can have one.
func (s *spool) skip(n int64) error {
	if s.inMemory(n) {
		s.mem = append(s.mem, make([]byte, n)...)
		return nil
	}
	if err := s.overflow(); err != nil {
		return err
	}
	s.size += n
	return s.file.Truncate(s.size)
}

// inMemory tells whether n more bytes still go to memory.
func (s *spool) inMemory(n int64) bool {
	return s.file == nil && int64(len(s.mem))+n <= int64(s.limit)
}

// overflow makes the temporary file.
func (s *spool) overflow() error {
	if s.file != nil {
		return nil
	}
	f, err := os.CreateTemp("", "holdfast-*")
	if err != nil {
		return err
	}
	s.file = f
	// Where an open file can lose its name, a crash leaves nothing behind;
	// elsewhere close removes it.
	_ = os.Remove(f.Name())
	return nil
}

// length is the number of bytes written.
func (s *spool) length() int64 { return int64(len(s.mem)) + s.size }

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

// at fills p with the bytes from off on, beside the reading in order.
func (s *spool) at(p []byte, off int64) error {
	if off < int64(len(s.mem)) {
		n := copy(p, s.mem[off:])
		p, off = p[n:], off+int64(n)
	}
	if len(p) == 0 {
		return nil
	}
	if s.file == nil {
		return io.ErrUnexpectedEOF
	}
	return readFull(s.file, p, off-int64(len(s.mem)))
}

// rewind begins reading again.
func (s *spool) rewind() { s.read = 0 }

// close forgets everything.
func (s *spool) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	err := s.file.Close()
	if !s.kept {
		if e := os.Remove(s.file.Name()); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	s.file, s.mem = nil, nil
	return err
}

// copyTo writes everything into an empty file, zeros as holes.
func (s *spool) copyTo(f *os.File) error {
	s.rewind()
	piece := make([]byte, 64<<10)
	for off := int64(0); off < s.length(); {
		b := piece[:min(int64(len(piece)), s.length()-off)]
		if err := s.next(b); err != nil {
			return err
		}
		if !isZero(b) {
			if _, err := f.WriteAt(b, off); err != nil {
				return err
			}
		}
		off += int64(len(b))
	}
	return f.Truncate(s.length())
}
