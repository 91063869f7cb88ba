//go:build unix

package engine

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ownLike gives a staged tree to the owner of what it replaces, so that a
// restore by root does not lock the owner out. Only root can; others are the
// owner already, or could not have read the data.
func ownLike(root string, like fs.FileInfo) error {
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(st.Uid), int(st.Gid))
	})
}
