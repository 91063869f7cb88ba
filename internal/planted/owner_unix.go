//go:build unix

package planted

import (
	"io/fs"
	"os"
	"syscall"
)

// NoFollow, among the flags of an open, makes it fail on a link.
const NoFollow = syscall.O_NOFOLLOW

// noWait keeps an open from waiting for the other end of a pipe.
const noWait = syscall.O_NONBLOCK

const forOthers = 0o002 // may write

// foreigner tells who a file belongs to, and whether that is somebody who could
// make it only because everybody can make files in the directory.
func foreigner(info, dir fs.FileInfo) (owner uint32, foreign bool) {
	file, ok := info.Sys().(*syscall.Stat_t)
	folder, also := dir.Sys().(*syscall.Stat_t)
	if !ok || !also || dir.Mode().Perm()&forOthers == 0 {
		return 0, false
	}
	switch file.Uid {
	case 0, uint32(os.Geteuid()), folder.Uid:
		return file.Uid, false
	}
	return file.Uid, true
}
