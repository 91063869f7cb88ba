//go:build linux || darwin

package chroma

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTimeAndInode gives what no program can set back, and which file a name
// stands for.
func changeTimeAndInode(info fs.FileInfo) (time.Time, uint64) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}, 0
	}
	return changeTime(st), st.Ino
}
