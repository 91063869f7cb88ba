package sqlite

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/holdfast-backup/holdfast"
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

// setRollback makes the header at the start of page ask for a rollback
// journal.
func setRollback(page []byte) {
	if len(page) >= headerSize {
		page[18], page[19] = 1, 1
	}
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

// fill tells in facts what the header of a database of size bytes says. The
// journal mode of a live database is known better; it is left alone if set.
func (h header) fill(facts *holdfast.SQLiteFacts, size int64) {
	facts.PageSize = h.pageSize
	facts.PageCount = size / int64(h.pageSize)
	facts.UserVersion = int64(h.userVersion)
	facts.ApplicationID = int64(h.applicationID)
	facts.Encoding = map[uint32]string{1: "UTF-8", 2: "UTF-16le", 3: "UTF-16be"}[h.encoding]
	if facts.JournalMode == "" {
		facts.JournalMode = ModeRollback
		if h.wal() {
			facts.JournalMode = ModeWAL
		}
	}
}
