package probe

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// tryRecordLocks tries the locks of open file descriptions, the kind of fcntl
// locks that keep two descriptors of one process apart as they do those of two
// processes. File systems treat both kinds alike.
func tryRecordLocks(file string) (err error) {
	one, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, one.Close()) }()
	two, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, two.Close()) }()
	return exclude(one, two)
}

// exclude tells whether a lock through one keeps out the other.
func exclude(one, two *os.File) error {
	if err := record(one, unix.F_WRLCK); err != nil {
		return err
	}
	switch err := record(two, unix.F_WRLCK); {
	case err == nil:
		return errNotExcluded
	case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES):
		return err
	}
	if err := record(one, unix.F_UNLCK); err != nil {
		return err
	}
	return record(two, unix.F_WRLCK)
}

// record locks the first byte of f, or unlocks it, without waiting.
func record(f *os.File, kind int16) error {
	lock := unix.Flock_t{Type: kind, Whence: io.SeekStart, Len: 1}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	return nil
}
