//go:build unix

package volume

import (
	"errors"
	"syscall"
)

// IsFull tells that an operation failed for want of space or quota.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// IsReadOnly tells that an operation failed because the file system is mounted
// read-only.
func IsReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
