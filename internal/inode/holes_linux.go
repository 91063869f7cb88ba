package inode

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// NextData gives the next span of data at or after off, of the first size bytes
// of f: from start up to end. Both are size if only a hole is left. A file system
// that knows no holes has data everywhere. It moves the offset of f.
func NextData(f *os.File, off, size int64) (start, end int64, err error) {
	start, err = f.Seek(off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return cutOrHole(f, off, size)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
		return off, size, nil
	case err != nil:
		return 0, 0, err
	case start >= size:
		return size, size, nil
	}
	end, err = f.Seek(start, unix.SEEK_HOLE)
	switch {
	case errors.Is(err, unix.ENXIO):
		return start, size, nil // cut short since; reading it tells
	case err != nil:
		return 0, 0, err
	case end <= start || end > size:
		end = size
	}
	return start, end, nil
}

// cutOrHole is where no data follows off: a hole up to the end, or the file has
// become shorter. What is missing counts as data, so that reading it tells.
func cutOrHole(f *os.File, off, size int64) (start, end int64, err error) {
	length, err := f.Seek(0, io.SeekEnd)
	switch {
	case err != nil:
		return 0, 0, err
	case length >= size:
		return size, size, nil
	}
	return max(off, length), size, nil
}
