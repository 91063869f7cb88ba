package inode

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func device(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev)
	}
	return 0
}

// Clock is the time that a file changed now would get at least. It moves in
// steps of some milliseconds, and stands still as long as the system is too busy
// to move it; so does the time of files.
func Clock() time.Time {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &ts) != nil {
		return time.Now()
	}
	return time.Unix(ts.Unix())
}

// ShowsWrites tells whether every write of these kinds to f moves its State: on
// file systems of this machine that are known to do so. FUSE and file systems of
// other machines answer from a cache, if they have such times at all. On tmpfs
// stores to mapped memory leave no trace, and what lies below an overlay is not
// known.
func ShowsWrites(f *os.File, w Writes) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(int(f.Fd()), &st) == nil && showsWrites(&st, w)
}

// showsCalls is ShowsWrites for write calls to what has this name, which is not
// opened.
func showsCalls(name string) bool {
	var st unix.Statfs_t
	return unix.Statfs(name, &st) == nil && showsWrites(&st, Calls)
}

func showsWrites(st *unix.Statfs_t, w Writes) bool {
	switch uint32(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC:
		return true
	case unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, zfsMagic:
		return w == Calls
	}
	return false
}

const zfsMagic = 0x2fc12fc1

// Await waits for the writes to f that are under way, each of which took its time
// when it began, so that a State seen now cannot be moved into unseen by one of
// them. After it, with Mappings, a store to mapped memory must fault, which gives
// it a time.
func Await(f *os.File, w Writes) error {
	// A file system keeps other calls out for the length of a write call: some
	// those that read, some those that look for holes.
	var b [1]byte
	if _, err := f.ReadAt(b[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if _, _, err := NextData(f, 0, 1); err != nil {
		return err
	}
	if w == Calls {
		return nil
	}
	const all = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	return unix.SyncFileRange(int(f.Fd()), 0, 0, all)
}

// boot names the run of the kernel, empty if it does not tell.
var boot = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
})

// session names the time for which the kernel knows the files of a device: from
// its start, or since the disk was attached.
func session(dev uint64) string {
	if boot() == "" {
		return ""
	}
	disk := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(dev), unix.Minor(dev))
	for _, name := range []string{disk + "/diskseq", disk + "/../diskseq"} { // a disk, a partition
		if seq, err := os.ReadFile(name); err == nil {
			return boot() + " " + strings.TrimSpace(string(seq))
		}
	}
	return boot()
}
