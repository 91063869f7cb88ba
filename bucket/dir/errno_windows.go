package dir

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

// isNotDirectory tells that a path goes on below a file: then nothing is there.
func isNotDirectory(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, windows.ERROR_DIRECTORY)
}

// hasNoLocks tells that the file system does not know locks.
func hasNoLocks(err error) bool {
	return errors.Is(err, windows.ERROR_NOT_SUPPORTED) || errors.Is(err, windows.ERROR_INVALID_FUNCTION)
}
