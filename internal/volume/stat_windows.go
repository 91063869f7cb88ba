package volume

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

func stat(path string) (Info, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return Info{}, err
	}
	var free, total uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, &total, nil); err != nil {
		return Info{}, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: path, Err: err}
	}
	info := Info{Path: path, Kind: Unknown, Free: int64(free), Total: int64(total), FreeInodes: -1}
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(path) + `\`)
	if err != nil {
		return Info{}, err
	}
	info.remote = windows.GetDriveType(root) == windows.DRIVE_REMOTE
	var flags uint32
	kind := make([]uint16, windows.MAX_PATH+1)
	if windows.GetVolumeInformation(root, nil, 0, nil, nil, &flags, &kind[0], uint32(len(kind))) == nil {
		info.Kind = strings.ToLower(windows.UTF16ToString(kind))
		info.ReadOnly = flags&windows.FILE_READ_ONLY_VOLUME != 0
	}
	return info, nil
}
