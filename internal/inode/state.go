package inode

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// A State is what a file system tells of a file and what moves when its content
// does. Two states are compared with ==.
type State struct {
	Dev, Number  uint64 // zero where the system does not tell
	Size         int64
	Mtime, Ctime time.Time // Ctime is zero where the system does not tell
}

// StateOf gives the state that a look at a file found.
func StateOf(info fs.FileInfo) State {
	return State{
		Dev: device(info), Number: Number(info), Size: info.Size(),
		Mtime: info.ModTime(), Ctime: ChangeTime(info),
	}
}

// Writes are the ways in which a file may be written.
type Writes int

// Calls are write calls alone, as SQLite and its like make them. Mappings are
// stores to memory as well.
const (
	Calls Writes = iota
	Mappings
)

// Changed is when the file last changed. Where the system keeps a change time
// that one counts: the time of modification is whatever a program made it.
func (s State) Changed() time.Time {
	if s.Ctime.IsZero() {
		return s.Mtime
	}
	return s.Ctime
}

// Rested tells whether the last change was at least age before now, a reading of
// Clock from before the look: then a later change cannot carry the same time.
func (s State) Rested(now time.Time, age time.Duration) bool {
	return !s.Changed().After(now.Add(-age))
}

// A Stamper makes stamps during one capture. The zero value is ready to use, by
// one goroutine.
type Stamper struct{ sessions map[uint64]string }

// Stamp names the content of a file by its state and by more that belongs to it,
// for as long as this system runs and the disk stays attached: after a power
// failure a file can have its new bytes and its old times. It is empty where the
// system does not tell enough, or keeps only whole seconds. Whether every change
// moves the state is another question; see ShowsWrites.
func (p *Stamper) Stamp(s State, more ...string) string {
	since, known := p.sessions[s.Dev]
	if !known {
		if p.sessions == nil {
			p.sessions = map[uint64]string{}
		}
		since = session(s.Dev)
		p.sessions[s.Dev] = since
	}
	if since == "" || s.Number == 0 || s.Ctime.IsZero() || s.Ctime.Nanosecond() == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(since + "\n" + s.String() + "\n" + strings.Join(more, "\n")))
	return hex.EncodeToString(sum[:16])
}

// String lists all of the state.
func (s State) String() string {
	return fmt.Sprintf("%d:%d:%d:%d.%d:%d.%d", s.Dev, s.Number, s.Size,
		s.Mtime.Unix(), s.Mtime.Nanosecond(), s.Ctime.Unix(), s.Ctime.Nanosecond())
}
