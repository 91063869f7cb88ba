package sqlite

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/holdfast-backup/holdfast"
)

// Torn tells whether committed changes are missing from the -wal of the database
// at path, and about how many pages of them. SQLite itself takes such a log for
// one that ends earlier: the database opens, passes its check, and is as it was
// some time ago.
//
// The shared memory beside the log says how much of it was committed, as long as
// nobody has opened the database since; where it is missing, commits that lie
// beyond the damage do. A log that is cut without a trace is not told.
//
// The files are read as files: nothing of this process may have the database
// open, or its locks would be lost. Another process may, also while it writes.
func Torn(path string) (pages int64, err error) {
	path = followLinks(path)
	before, err := readIndex(path)
	if err != nil {
		return 0, err
	}
	pages, err = tornLog(path, before)
	if err != nil || pages == 0 {
		return 0, err
	}
	after, err := readIndex(path)
	if err != nil || after != before {
		return 0, err // somebody works with it
	}
	return pages, nil
}

// A walIndex is what the shared memory says of a log.
type walIndex struct {
	valid bool
	// committed frames are in the log, of which so many first ones have been
	// copied into the database.
	committed, copied uint32
	salt              [8]byte
}

// Where things are in the shared memory (SQLite's walformat, "WAL-index").
const (
	indexVersion  = 3007000
	indexHeader   = 48
	indexCopied   = 2 * indexHeader
	indexMinBytes = indexCopied + 4
)

func readIndex(path string) (walIndex, error) {
	f, err := os.Open(path + "-shm")
	if errors.Is(err, fs.ErrNotExist) {
		return walIndex{}, nil
	}
	if err != nil {
		return walIndex{}, &holdfast.Error{Op: "look at", Object: path, Err: err}
	}
	defer f.Close()
	var b [indexMinBytes]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return walIndex{}, nil // too short to say anything
	}
	order := binary.NativeEndian
	one, two := [indexHeader]byte(b[:indexHeader]), [indexHeader]byte(b[indexHeader:indexCopied])
	sum := walSum{order: order}
	sum.add(one[:40])
	if one != two || order.Uint32(one[0:]) != indexVersion || one[12] == 0 || !sum.is(order.Uint32(one[40:]), order.Uint32(one[44:])) {
		return walIndex{}, nil
	}
	return walIndex{valid: true, committed: order.Uint32(one[16:]), copied: order.Uint32(b[indexCopied:]), salt: [8]byte(one[32:40])}, nil
}

// walSum is the checksum that runs through a log.
type walSum struct {
	order  binary.ByteOrder
	s0, s1 uint32
}

func (w *walSum) add(data []byte) {
	for ; len(data) >= 8; data = data[8:] {
		w.s0 += w.order.Uint32(data) + w.s1
		w.s1 += w.order.Uint32(data[4:]) + w.s0
	}
}

func (w *walSum) is(s0, s1 uint32) bool { return w.s0 == s0 && w.s1 == s1 }

// Sizes and marks of a log (SQLite's fileformat2, "The Write-Ahead Log").
const (
	walHeader      = 32
	walFrameHeader = 24
	walMagic       = 0x377f0682 // the last bit tells the order of bytes in checksums
)

// tornLog counts the committed pages that a log has lost.
func tornLog(path string, index walIndex) (int64, error) {
	f, err := os.Open(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // somebody removed it
	}
	if err != nil {
		return 0, &holdfast.Error{Op: "look at", Object: path, Err: err}
	}
	defer f.Close()
	l := &walReader{f: f, r: bufio.NewReaderSize(f, 1<<20)}
	if !l.header() {
		if index.valid && index.copied < index.committed {
			return int64(index.committed - index.copied), nil
		}
		return 0, nil
	}
	for l.next() {
	}
	switch {
	case !index.valid:
		return l.beyond(), nil
	case index.salt != l.salt || l.committed >= index.committed:
		return 0, nil
	case l.committed == 0 && index.copied >= index.committed:
		return 0, nil // all of it lies in the database
	}
	return int64(index.committed - l.committed), nil
}

// A walReader reads a log as SQLite does after a crash.
type walReader struct {
	f         *os.File
	r         *bufio.Reader
	sum       walSum
	salt      [8]byte
	frame     []byte
	frames    uint32 // whole ones
	committed uint32 // of them up to the last commit
}

// header reads the head, and tells whether it is one.
func (l *walReader) header() bool {
	var b [walHeader]byte
	if _, err := io.ReadFull(l.r, b[:]); err != nil {
		return false
	}
	magic, page := binary.BigEndian.Uint32(b[0:]), binary.BigEndian.Uint32(b[8:])
	if magic&^1 != walMagic || page < 512 || page > 65536 || page&(page-1) != 0 {
		return false
	}
	l.sum.order = binary.LittleEndian
	if magic&1 == 1 {
		l.sum.order = binary.BigEndian
	}
	l.sum.add(b[:24])
	l.salt = [8]byte(b[16:24])
	l.frame = make([]byte, walFrameHeader+page)
	return l.sum.is(binary.BigEndian.Uint32(b[24:]), binary.BigEndian.Uint32(b[28:]))
}

// next reads a frame, and tells whether it belongs to the log.
func (l *walReader) next() bool {
	if _, err := io.ReadFull(l.r, l.frame); err != nil {
		return false
	}
	if [8]byte(l.frame[8:16]) != l.salt || binary.BigEndian.Uint32(l.frame) == 0 {
		return false
	}
	l.sum.add(l.frame[:8])
	l.sum.add(l.frame[walFrameHeader:])
	if !l.sum.is(binary.BigEndian.Uint32(l.frame[16:]), binary.BigEndian.Uint32(l.frame[20:])) {
		return false
	}
	l.frames++
	if binary.BigEndian.Uint32(l.frame[4:]) != 0 {
		l.committed = l.frames
	}
	return true
}

// beyond counts the frames after the first broken one up to the last commit.
func (l *walReader) beyond() (pages int64) {
	var head [walFrameHeader]byte
	size := int64(len(l.frame))
	for n := int64(l.frames) + 1; ; n++ {
		if _, err := l.f.ReadAt(head[:], walHeader+n*size); err != nil {
			return pages
		}
		if [8]byte(head[8:16]) == l.salt && binary.BigEndian.Uint32(head[4:]) != 0 {
			pages = n + 1 - int64(l.committed)
		}
	}
}
