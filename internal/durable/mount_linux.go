package durable

import (
	"os"

	"golang.org/x/sys/unix"
)

// IsMountPoint tells whether path itself is the root of a mount (also a bind
// mount, also of one file), so that it cannot be renamed away.
func IsMountPoint(path string) (bool, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_TYPE, &st)
	if err == nil && st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
	}
	if err != nil && err != unix.ENOSYS && err != unix.EPERM {
		return false, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return deviceDiffersFromParent(path)
}
