package sqlite

import (
	"os"
	"time"

	"github.com/holdfast-backup/holdfast/internal/inode"
)

// flightAge is how long no write call of a few kilobytes is under way. Where no
// lock tells that none is, files must have been left alone for so long.
const flightAge = 5 * time.Second

// A look is the state of a database's files, seen without a lock and without
// reading more than the header. Two looks are compared with ==.
type look struct {
	file inode.State
	head [headerSize]byte
	// log and journal are the -wal and the -journal: zero if there is none or
	// it is empty, which means the same.
	log, journal inode.State
}

// lookAt looks at the database at path, which f has open. The companions come
// first: if they and then the file are as they were once, so was the database at
// the moment between.
func lookAt(path string, f *os.File) (k look, err error) {
	if k.log, err = companion(path + "-wal"); err != nil {
		return look{}, err
	}
	if k.journal, err = companion(path + "-journal"); err != nil {
		return look{}, err
	}
	if k.file, err = stateOf(f); err != nil || k.file.Size < headerSize {
		return look{}, err
	}
	_, err = f.ReadAt(k.head[:], 0)
	return k, err
}

// companion looks at a file beside the database, which only SQLite may open. Its
// change time does not count: SQLite gives the file to the owner of the database
// whenever a process of root opens it, this one included. Every write moves the
// time of modification as well.
func companion(path string) (inode.State, error) {
	info, err := os.Lstat(path)
	switch {
	case os.IsNotExist(err), err == nil && info.Size() == 0:
		return inode.State{}, nil
	case err != nil:
		return inode.State{}, err
	}
	s := inode.StateOf(info)
	s.Ctime = time.Time{}
	return s, nil
}

// stamp names the database that the look saw; empty if it cannot.
func (k look) stamp() string {
	if _, err := parseHeader(k.head[:]); err != nil {
		return ""
	}
	return new(inode.Stamper).Stamp(k.file, string(k.head[:]), k.log.String(), k.journal.String())
}

// quiet tells whether every commit after the look moves what it saw. now is a
// reading of inode.Clock from before the look.
func (k look) quiet(now time.Time) bool {
	return k.file.Rested(now, settleAge) && (k.log == inode.State{} || k.log.Rested(now, flightAge))
}

// Peek gives the stamp (see holdfast.FileWriter) that the database at path has
// now, as far as a look at its files tells: that is enough to know it again if it
// once had the stamp, and no lock is taken. Empty means that it cannot be known.
func Peek(path string) string {
	k, ok := peek(path)
	if !ok {
		return ""
	}
	return k.stamp()
}

func peek(path string) (look, bool) {
	if !plainReads() {
		return look{}, false // closing the file would drop locks
	}
	f, err := os.Open(path)
	if err != nil {
		return look{}, false
	}
	defer f.Close()
	k, err := lookAt(path, f)
	return k, err == nil && k.head != [headerSize]byte{}
}

// Has tells, inside a transaction, whether the database as the transaction sees it
// is the one that had the stamp.
func (l *Live) Has(stamp string) bool {
	if l.file == nil || l.active == nil || stamp == "" {
		return false
	}
	k, err := lookAt(l.path, l.file)
	return err == nil && k.stamp() == stamp
}

// Stamp gives, inside a transaction, the stamp of the database as the transaction
// sees it. It is empty where it is not certain that every later commit will move
// it. DESIGN.md says why it is certain otherwise.
func (l *Live) Stamp() string {
	if l.file == nil || l.active == nil || !inode.ShowsWrites(l.file, inode.Calls) {
		return ""
	}
	now := inode.Clock()
	k, err := lookAt(l.path, l.file)
	switch {
	case err != nil:
		return ""
	case l.mode == ModeWAL:
		// Commits go on. What the transaction sees is what there was when it
		// began.
		if k != l.opening || !l.quiet {
			return ""
		}
	case !k.quiet(now):
		return ""
	}
	return k.stamp()
}

// observe looks at the files before a transaction begins.
func (l *Live) observe() {
	l.opening, l.quiet = look{}, false
	if l.file == nil {
		return
	}
	now := inode.Clock()
	if k, err := lookAt(l.path, l.file); err == nil {
		l.opening, l.quiet = k, k.quiet(now)
	}
}
