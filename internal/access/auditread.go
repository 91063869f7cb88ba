package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/planted"
)

const (
	pageLimit = 500
	readChunk = 64 << 10
	// lineLimit is more than a line can have, so whatever is longer is not ours.
	lineLimit = 64 << 10
)

// A Page asks for a part of the audit, the newest entries first.
type Page struct {
	Limit  int    // most entries; zero is 100, more than 500 is 500
	Before string // the id of an entry: those older than it
}

// Read gives a page of the audit, and the id to ask for the next one with; empty
// at the end. Lines that are torn are left out.
func (u *Audit) Read(p Page) (entries []Entry, next string, err error) {
	if p.Limit <= 0 {
		p.Limit = 100
	}
	p.Limit = min(p.Limit, pageLimit)
	found := p.Before == ""
	entries = []Entry{}
	for e, err := range u.newestFirst() {
		if err != nil {
			return nil, "", &holdfast.Error{Op: "read audit", Object: u.file, Err: err}
		}
		if !found {
			found = e.ID == p.Before
			continue
		}
		if len(entries) == p.Limit {
			return entries, entries[len(entries)-1].ID, nil
		}
		entries = append(entries, e)
	}
	if !found {
		return nil, "", &holdfast.Error{Op: "read audit", Err: holdfast.Kindf(holdfast.ErrNotFound, "the entry to go on from is not there any more"), Hint: "begin with the newest"}
	}
	return entries, "", nil
}

// newestFirst goes through all files backwards. A file that is rotated meanwhile
// is read again under its next name, so an entry can come twice but none is
// passed over.
func (u *Audit) newestFirst() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for i := range auditKept + 1 {
			more, err := readBackwards(u.rotated(i), func(line []byte) bool {
				var e Entry
				if json.Unmarshal(line, &e) != nil || e.ID == "" {
					return true
				}
				return yield(e, nil)
			})
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// readBackwards gives the lines of a file from the last to the first, until line
// says no. It holds two chunks at most.
func readBackwards(name string, line func([]byte) bool) (more bool, err error) {
	if err := planted.Check(name); err != nil {
		return false, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|planted.NoFollow, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	var rest []byte // the beginning of a line whose end is known
	for at := info.Size(); at > 0; {
		n := min(at, readChunk)
		at -= n
		chunk := make([]byte, n, int(n)+len(rest))
		if _, err := f.ReadAt(chunk, at); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		chunk = append(chunk, rest...)
		for {
			cut := bytes.LastIndexByte(chunk, '\n')
			if cut < 0 {
				break
			}
			if text := chunk[cut+1:]; len(text) > 0 && !line(text) {
				return false, nil
			}
			chunk = chunk[:cut]
		}
		if rest = chunk; len(rest) > lineLimit {
			rest = nil // no line of ours; what is left of it will not parse
		}
	}
	return len(rest) == 0 || line(rest), nil
}
