// Package hnsw reads the folder of one Chroma vector index: the four .bin
// files of its index library (persistent variant) and, through package
// pickle, the maps from record ids to labels.
//
// Start from [Open] (one folder, for its vectors) and [Folder.Verify] (does
// everything in it agree). The library that Chroma uses checks nothing when it
// loads these files: a header that does not fit its data ends the whole server
// process. So nothing here trusts a number before it has been compared with
// the size of the file it speaks of, and nothing is allocated by such a number
// alone. Vectors are read through io.ReaderAt, a window at a time.
package hnsw

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// The files of an index folder.
const (
	HeaderFile = "header.bin"
	DataFile   = "data_level0.bin"
	LengthFile = "length.bin"
	LinksFile  = "link_lists.bin"
	PickleFile = "index_metadata.pickle"
)

// Files lists the files of a complete folder in the order in which Chroma
// writes them.
func Files() []string {
	return []string{HeaderFile, DataFile, LengthFile, LinksFile, PickleFile}
}

// ErrDamaged is matched by errors that say a folder does not hold together;
// other errors mean that it could not be read.
var ErrDamaged = errors.New("damaged index")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// file is an open file with its size.
type file struct {
	io.ReaderAt
	close func() error
	name  string
	size  int64
}

// openFile opens a file for reading at any place. One that is missing is
// damage: a folder has all its files or is not looked at.
func openFile(fsys fs.FS, name string) (*file, error) {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged("%s is missing", name)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return nil, errors.Join(damaged("%s is not a regular file", name), f.Close())
	}
	at, ok := f.(io.ReaderAt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s: the file can only be read from its start to its end", name), f.Close())
	}
	return &file{ReaderAt: at, close: f.Close, name: name, size: info.Size()}, nil
}

// readFull fills b from an offset; an end of file is damage.
func (f *file) readFull(b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return damaged("%s ends at byte %d", f.name, off+int64(n))
	}
	return err
}
