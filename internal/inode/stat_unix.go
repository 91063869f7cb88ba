//go:build linux || darwin

package inode

import (
	"io/fs"
	"syscall"
	"time"
)

// ChangeTime is when the file or anything that is recorded of it last changed.
// Unlike the time of modification no program can set it back. It is zero where
// the system does not tell.
func ChangeTime(info fs.FileInfo) time.Time {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}
	}
	return changed(st)
}

// Number is the number of the file on its file system, zero where the system
// does not tell.
func Number(info fs.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Ino
}
