package chroma

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// nextData gives the next span of data at or after off: [data, end), both at
// most size. Where the file system does not tell, all is data.
func nextData(f *os.File, off, size int64) (data, end int64) {
	data, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return size, size // nothing but a hole up to the end
	case err != nil || data > size:
		return off, size
	}
	end, err = unix.Seek(int(f.Fd()), data, unix.SEEK_HOLE)
	if err != nil || end <= data || end > size {
		end = size
	}
	return data, end
}
