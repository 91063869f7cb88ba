package sqlite

import (
	"os"

	"golang.org/x/sys/unix"
)

// adviseSequential asks the kernel to read far ahead. It is advice only: where
// it is not taken, reading is merely slower.
func adviseSequential(f *os.File) {
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_SEQUENTIAL)
}
