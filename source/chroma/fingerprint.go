package chroma

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast/internal/inode"
)

// pickleFile is the file that a persist writes last. A folder without it is
// ignored by the server, which then replays its log.
const pickleFile = "index_metadata.pickle"

// tick is longer than the steps in which any file system counts time: a file
// that was changed less than a tick ago may change again without a trace.
const tick = 30 * time.Millisecond

// A look is what tells one state of a file from another without reading it.
type look struct {
	inode.State
	name    string
	mode    fs.FileMode
	regular bool
}

// touched is the last time at which the file can have changed.
func (k look) touched() time.Time {
	if k.Ctime.After(k.Mtime) {
		return k.Ctime
	}
	return k.Mtime
}

// A fingerprint is the state of an index folder: the looks of its files by
// name. A nil fingerprint is a folder that does not exist.
type fingerprint []look

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
		fp = append(fp, look{inode.StateOf(info), e.Name(), info.Mode(), info.Mode().IsRegular()})
	}
	return fp, nil
}

// equal tells whether nothing has changed from one fingerprint to the other.
func (f fingerprint) equal(o fingerprint) bool {
	return (f == nil) == (o == nil) && slices.Equal(f, o)
}

// bytes is the logical size of the folder.
func (f fingerprint) bytes() int64 {
	var n int64
	for _, k := range f {
		if k.regular {
			n += k.Size
		}
	}
	return n
}

// indexed tells whether a persist has ever been completed in the folder.
func (f fingerprint) indexed() bool {
	return slices.ContainsFunc(f, func(k look) bool { return k.name == pickleFile })
}

// pickleNewest tells whether no file was written after the pickle, as it is
// when a persist has come to its end.
func (f fingerprint) pickleNewest() bool {
	i := slices.IndexFunc(f, func(k look) bool { return k.name == pickleFile })
	return i >= 0 && !slices.ContainsFunc(f, func(k look) bool { return k.Mtime.After(f[i].Mtime) })
}

// touched is the last time at which anything in the folder can have changed.
func (f fingerprint) touched() time.Time {
	var last time.Time
	for _, k := range f {
		if t := k.touched(); t.After(last) {
			last = t
		}
	}
	return last
}

// String lists what is in the folder, and the state of each.
func (f fingerprint) String() string {
	var b strings.Builder
	for _, k := range f {
		fmt.Fprintf(&b, "%q %v %v\n", k.name, k.mode, k.State)
	}
	return b.String()
}
