//go:build !linux

package sqlite

import (
	"os"
	"time"
)

// identity is what tells two looks at a file apart if it was written between
// them.
type identity struct {
	size         int64
	mtime, ctime time.Time
}

// identityOf looks at an open file. Here the system's change time is not
// looked at; it is not needed, because the file is only read through SQLite.
func identityOf(f *os.File) (identity, error) {
	info, err := f.Stat()
	if err != nil {
		return identity{}, err
	}
	return identity{size: info.Size(), mtime: info.ModTime()}, nil
}

// adviseSequential asks the kernel to read far ahead, where it takes advice.
func adviseSequential(*os.File) {}
