package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func exchange(a, b string) error { return rename2(a, b, unix.RENAME_EXCHANGE) }

func renameNew(oldname, newname string) error {
	return rename2(oldname, newname, unix.RENAME_NOREPLACE)
}

func rename2(oldname, newname string, flags uint) error {
	for {
		err := unix.Renameat2(unix.AT_FDCWD, oldname, unix.AT_FDCWD, newname, flags)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP):
			// An old kernel or a file system that knows no flags.
			err = errors.ErrUnsupported
		}
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
}

// startWriteback asks for f's dirty pages to be written, without waiting and
// without a promise; where it fails, the sync later does all the work.
func startWriteback(f *os.File) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		_ = unix.SyncFileRange(int(fd), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	})
}
