package chroma

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast/internal/inode"
)

// pickleFile is the file that a persist writes last. A folder without it is
// ignored by the server, which then replays its log.
const pickleFile = "index_metadata.pickle"

// tick is longer than the steps in which any file system counts time: a file
// that was changed less than a tick ago may change again without a trace.
const tick = 30 * time.Millisecond

// A stamp is what tells one state of a file from another without reading it.
type stamp struct {
	name    string
	size    int64
	mode    fs.FileMode
	mtime   time.Time
	ctime   time.Time // zero where the system has none
	inode   uint64    // zero where the system has none
	regular bool
}

func (s stamp) equal(o stamp) bool {
	return s.name == o.name && s.size == o.size && s.mode == o.mode && s.inode == o.inode &&
		s.mtime.Equal(o.mtime) && s.ctime.Equal(o.ctime)
}

// touched is the last time at which the file can have changed.
func (s stamp) touched() time.Time {
	if s.ctime.After(s.mtime) {
		return s.ctime
	}
	return s.mtime
}

// A fingerprint is the state of an index folder: the stamps of its files by
// name. A nil fingerprint is a folder that does not exist.
type fingerprint []stamp

// takeFingerprint looks at a folder without reading any file. A file that goes
// away meanwhile is left out, which makes the fingerprint differ from any
// other.
func takeFingerprint(dir string) (fingerprint, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fp := make(fingerprint, 0, len(entries))
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s := stamp{name: e.Name(), size: info.Size(), mode: info.Mode(), mtime: info.ModTime(), regular: info.Mode().IsRegular()}
		s.ctime, s.inode = inode.ChangeTime(info), inode.Number(info)
		fp = append(fp, s)
	}
	return fp, nil
}

// equal tells whether nothing has changed from one fingerprint to the other.
func (f fingerprint) equal(o fingerprint) bool {
	return (f == nil) == (o == nil) && slices.EqualFunc(f, o, stamp.equal)
}

// bytes is the logical size of the folder.
func (f fingerprint) bytes() int64 {
	var n int64
	for _, s := range f {
		if s.regular {
			n += s.size
		}
	}
	return n
}

// indexed tells whether a persist has ever been completed in the folder.
func (f fingerprint) indexed() bool {
	return slices.ContainsFunc(f, func(s stamp) bool { return s.name == pickleFile })
}

// pickleNewest tells whether no file was written after the pickle, as it is
// when a persist has come to its end.
func (f fingerprint) pickleNewest() bool {
	i := slices.IndexFunc(f, func(s stamp) bool { return s.name == pickleFile })
	return i >= 0 && !slices.ContainsFunc(f, func(s stamp) bool { return s.mtime.After(f[i].mtime) })
}

// touched is the last time at which anything in the folder can have changed.
func (f fingerprint) touched() time.Time {
	var last time.Time
	for _, s := range f {
		if t := s.touched(); t.After(last) {
			last = t
		}
	}
	return last
}
