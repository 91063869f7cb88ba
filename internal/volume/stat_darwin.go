package volume

import (
	"os"

	"golang.org/x/sys/unix"
)

func stat(path string) (Info, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Info{}, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	info := Info{
		Path:       path,
		Kind:       unix.ByteSliceToString(st.Fstypename[:]),
		Free:       int64(st.Bavail) * int64(st.Bsize),
		Total:      int64(st.Blocks) * int64(st.Bsize),
		FreeInodes: int64(st.Ffree),
		ReadOnly:   st.Flags&unix.MNT_RDONLY != 0,
		remote:     st.Flags&unix.MNT_LOCAL == 0,
	}
	if info.Kind == "" {
		info.Kind = Unknown
	}
	return info, nil
}
