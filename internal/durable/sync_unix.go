//go:build unix

package durable

import (
	"errors"
	"os"
	"syscall"
)

// syncFlag opens a file for nothing but its sync, whatever its mode. A
// symbolic link or a fifo in its place is not followed and does not block.
const syncFlag = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		// Some network and FUSE file systems know no sync of a directory.
		// They keep names their own way; there is nothing more to ask for.
		err = nil
	}
	return errors.Join(err, d.Close())
}
