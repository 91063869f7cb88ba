package inode

import "golang.org/x/sys/unix"

// showsCalls tells whether every write call to what has this name moves its State,
// as on the disks of this machine.
func showsCalls(name string) bool {
	var st unix.Statfs_t
	return unix.Statfs(name, &st) == nil && st.Flags&unix.MNT_LOCAL != 0
}
