package sqlite

import (
	"encoding/binary"
	"errors"
	"io"
)

// headerSize is the size of the header at the start of every database.
const headerSize = 100

// magic begins every database that is not encrypted.
const magic = "SQLite format 3\x00"

// header is what the first 100 bytes of a database say.
type header struct {
	pageSize      int
	writeVersion  byte // 2 is WAL
	readVersion   byte
	changeCounter uint32
	pageCount     uint32 // valid if versionValidFor equals changeCounter
	versionValid  uint32
	encoding      uint32
	userVersion   int32
	applicationID int32
}

// errNoHeader tells that a file does not begin as a database does.
var errNoHeader = errors.New("no SQLite header")

// readHeader reads the header of a database file.
func readHeader(r io.ReaderAt) (header, error) {
	var b [headerSize]byte
	if n, err := r.ReadAt(b[:], 0); n < headerSize {
		if err == nil || errors.Is(err, io.EOF) {
			err = errNoHeader
		}
		return header{}, err
	}
	return parseHeader(b[:])
}

// parseHeader parses at least headerSize bytes.
func parseHeader(b []byte) (header, error) {
	if len(b) < headerSize || string(b[:len(magic)]) != magic {
		return header{}, errNoHeader
	}
	h := header{
		pageSize:      int(binary.BigEndian.Uint16(b[16:])),
		writeVersion:  b[18],
		readVersion:   b[19],
		changeCounter: binary.BigEndian.Uint32(b[24:]),
		pageCount:     binary.BigEndian.Uint32(b[28:]),
		encoding:      binary.BigEndian.Uint32(b[56:]),
		userVersion:   int32(binary.BigEndian.Uint32(b[60:])),
		applicationID: int32(binary.BigEndian.Uint32(b[68:])),
		versionValid:  binary.BigEndian.Uint32(b[92:]),
	}
	if h.pageSize == 1 {
		h.pageSize = 65536
	}
	if h.pageSize < 512 || h.pageSize > 65536 || h.pageSize&(h.pageSize-1) != 0 {
		return header{}, errNoHeader
	}
	return h, nil
}

// wal tells whether the header asks for a write-ahead log.
func (h header) wal() bool { return h.readVersion == 2 }

// pages is the number of pages that the header claims, zero if the header
// does not tell: writers before SQLite 3.7.0 did not keep it.
func (h header) pages() int64 {
	if h.versionValid != h.changeCounter {
		return 0
	}
	return int64(h.pageCount)
}
