//go:build unix

package startup

import (
	"io/fs"
	"os"
	"syscall"
)

// ownLike gives a file to the owner of what it replaces, so that a start by root
// does not lock the owner out. Only root can; others are the owner already.
func ownLike(name string, like fs.FileInfo) error {
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(name, int(st.Uid), int(st.Gid))
}
