package telegram

import (
	"errors"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/holdfast-backup/holdfast/internal/durable"
)

// spool is a temporary file that only its holders know: where the system can, it
// has no name any more. It goes with the last of them.
type spool struct {
	f    *os.File
	name string // to be removed at the end; "" if it has none

	mu   sync.Mutex
	refs int
	size int64
}

func (b *Bucket) newSpool() (*spool, error) {
	if b.o.Spool != "" {
		if err := durable.MkdirAll(durable.OS, b.o.Spool, 0o700); err != nil {
			return nil, err
		}
	}
	f, err := os.CreateTemp(b.o.Spool, "holdfast-telegram-*")
	if err != nil {
		return nil, err
	}
	s := &spool{f: f, name: f.Name(), refs: 1}
	if runtime.GOOS != "windows" && os.Remove(f.Name()) == nil {
		s.name = ""
	}
	return s, nil
}

func (s *spool) hold() *spool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs++
	return s
}

// drop gives up the spool. Nothing in it is needed any more, so that it cannot
// be closed or removed harms nothing.
func (s *spool) drop() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs--; s.refs > 0 {
		return
	}
	_ = s.f.Close()
	if s.name != "" {
		_ = os.Remove(s.name)
	}
}

// Write appends.
func (s *spool) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.f.WriteAt(p, s.size)
	s.size += int64(n)
	return n, err
}

// skip appends zeros.
func (s *spool) skip(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.f.Truncate(s.size + n); err != nil {
		return err
	}
	s.size += n
	return nil
}

// section gives n bytes from off.
func (s *spool) section(off, n int64) io.ReaderAt { return io.NewSectionReader(s.f, off, n) }

// joined is several sequences of bytes, one after the other.
type joined []segment

type segment struct {
	from io.ReaderAt
	size int64
}

func (j joined) size() (all int64) {
	for _, s := range j {
		all += s.size
	}
	return all
}

// part gives a reader of n bytes from off.
func (j joined) part(off, n int64) io.Reader {
	var readers []io.Reader
	for _, s := range j {
		if off < s.size && n > 0 {
			length := min(n, s.size-off)
			readers = append(readers, io.NewSectionReader(s.from, off, length))
			n -= length
			off = 0
			continue
		}
		off -= min(off, s.size)
	}
	return io.MultiReader(readers...)
}

// readAt is ReadAt of an object of this size.
func readAt(r io.ReaderAt, size int64, p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, errNegative
	case len(p) == 0:
		return 0, nil
	case off >= size:
		return 0, io.EOF
	}
	short := int64(len(p)) > size-off
	if short {
		p = p[:size-off]
	}
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		err = nil
		if short {
			err = io.EOF
		}
	} else if errors.Is(err, io.EOF) || err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
