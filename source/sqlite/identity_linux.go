package sqlite

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-backup/holdfast/internal/inode"
)

// identity is what tells two looks at a file apart if it was written between
// them.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime time.Time
}

// identityOf looks at an open file.
func identityOf(f *os.File) (identity, error) {
	info, err := f.Stat()
	if err != nil {
		return identity{}, err
	}
	id := identity{size: info.Size(), mtime: info.ModTime(), ctime: inode.ChangeTime(info), ino: inode.Number(info)}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id.dev = uint64(st.Dev)
	}
	return id, nil
}

// adviseSequential asks the kernel to read far ahead. It is advice only: where
// it is not taken, reading is merely slower.
func adviseSequential(f *os.File) {
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_SEQUENTIAL)
}
