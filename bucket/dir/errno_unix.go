//go:build unix

package dir

import (
	"errors"
	"syscall"
)

// isNotDirectory tells that a path goes on below a file: then nothing is there.
func isNotDirectory(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// hasNoLocks tells that the file system does not know flock.
func hasNoLocks(err error) bool {
	for _, e := range []error{syscall.ENOSYS, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOLCK, syscall.EINVAL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
