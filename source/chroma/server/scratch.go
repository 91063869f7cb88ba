package server

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// A scratch is a temporary file that is appended to and read back. Nobody else sees
// it, and where the system allows it has no name, so that nothing is left behind.
type scratch struct {
	file  *os.File
	w     *bufio.Writer
	size  int64
	named bool
}

func newScratch() (*scratch, error) {
	f, err := os.CreateTemp("", "holdfast-chroma-")
	if err != nil {
		return nil, err
	}
	return &scratch{file: f, w: bufio.NewWriterSize(f, 32<<10), named: os.Remove(f.Name()) != nil}, nil
}

func (s *scratch) close() error {
	err := s.file.Close()
	if s.named {
		err = errors.Join(err, os.Remove(s.file.Name()))
	}
	return err
}

// Write implements io.Writer.
func (s *scratch) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.size += int64(n)
	return n, err
}

// empty begins the file again.
func (s *scratch) empty() error {
	s.w.Reset(s.file)
	s.size = 0
	if err := s.file.Truncate(0); err != nil {
		return err
	}
	_, err := s.file.Seek(0, io.SeekStart)
	return err
}

// flush lets readers see what was written.
func (s *scratch) flush() error { return s.w.Flush() }

// reader reads n bytes from off, while others may append.
func (s *scratch) reader(off, n int64) *bufio.Reader {
	return bufio.NewReaderSize(io.NewSectionReader(s.file, off, n), 32<<10)
}

// An idList is the ids of a collection, in the order of the API.
type idList struct {
	texts  *scratch // each behind its length
	hashes *scratch // eight bytes each
	n      int64
	skip   map[int64]bool // places of ids that come again later
}

func (l *idList) begin() error {
	l.n, l.skip = 0, nil
	return errors.Join(l.texts.empty(), l.hashes.empty())
}

func (l *idList) add(id string, hash uint64) error {
	var b [binary.MaxVarintLen64]byte
	if _, err := l.texts.Write(binary.AppendUvarint(b[:0], uint64(len(id)))); err != nil {
		return err
	}
	if _, err := io.WriteString(l.texts, id); err != nil {
		return err
	}
	_, err := l.hashes.Write(binary.LittleEndian.AppendUint64(b[:0], hash))
	l.n++
	return err
}

// bucketSize is how many ids are looked at side by side, in memory.
const bucketSize = 1 << 18

// end lets the list be read.
func (l *idList) end() error {
	if err := errors.Join(l.texts.flush(), l.hashes.flush()); err != nil {
		return err
	}
	return l.dedupe()
}

// dedupe finds ids that were listed twice: a record that was deleted and added again
// while the list was read stands at both places. The later one is its place.
func (l *idList) dedupe() error {
	buckets := uint64(l.n/bucketSize) + 1
	last := make(map[uint64]int64, min(l.n, bucketSize))
	for b := range buckets {
		clear(last)
		err := l.eachHash(func(at int64, hash uint64) {
			if hash%buckets != b {
				return
			}
			if before, twice := last[hash]; twice {
				if l.skip == nil {
					l.skip = map[int64]bool{}
				}
				l.skip[before] = true
			}
			last[hash] = at
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *idList) eachHash(f func(at int64, hash uint64)) error {
	r := l.hashes.reader(0, l.hashes.size)
	var b [8]byte
	for at := range l.n {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return err
		}
		f(at, binary.LittleEndian.Uint64(b[:]))
	}
	return nil
}

// each goes through the ids that count, until f says to stop.
func (l *idList) each(f func(id string) (more bool, err error)) error {
	r := l.texts.reader(0, l.texts.size)
	var text []byte
	for at := range l.n {
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return err
		}
		if uint64(cap(text)) < n {
			text = make([]byte, n)
		}
		text = text[:n]
		if _, err := io.ReadFull(r, text); err != nil {
			return err
		}
		if l.skip[at] {
			continue
		}
		if more, err := f(string(text)); err != nil || !more {
			return err
		}
	}
	return nil
}
