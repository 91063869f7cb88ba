package volume

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func stat(path string) (Info, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(path, &st) }); err != nil {
		return Info{}, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	unit := int64(st.Frsize)
	if unit == 0 {
		unit = int64(st.Bsize)
	}
	info := Info{
		Path:       path,
		Kind:       kinds[uint32(st.Type)],
		Free:       int64(st.Bavail) * unit,
		Total:      int64(st.Blocks) * unit,
		FreeInodes: freeInodes(st.Files, st.Ffree),
		ReadOnly:   st.Flags&unix.ST_RDONLY != 0,
	}
	if info.Kind == "" || info.Kind == "fuse" {
		// The kernel's number is shared by all FUSE file systems, and new
		// ones have none here; the mount table has the name.
		if name := mountKind(path); name != "" {
			info.Kind = name
		}
	}
	if info.Kind == "" {
		info.Kind = Unknown
	}
	return info, nil
}

// freeInodes knows that a file system which makes inodes as it needs them
// counts none at all.
func freeInodes(all, free uint64) int64 {
	if all == 0 {
		return -1
	}
	return int64(free)
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// kinds names the numbers by which the kernel tells file systems apart.
var kinds = map[uint32]string{
	unix.EXT4_SUPER_MAGIC:      "ext4", // ext2 and ext3 share it
	unix.XFS_SUPER_MAGIC:       "xfs",
	unix.BTRFS_SUPER_MAGIC:     "btrfs",
	0x2fc12fc1:                 "zfs",
	unix.F2FS_SUPER_MAGIC:      "f2fs",
	0xca451a4e:                 "bcachefs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	unix.TMPFS_MAGIC:           "tmpfs",
	unix.RAMFS_MAGIC:           "ramfs",
	unix.PROC_SUPER_MAGIC:      "proc",
	unix.SYSFS_MAGIC:           "sysfs",
	unix.SQUASHFS_MAGIC:        "squashfs",
	unix.ISOFS_SUPER_MAGIC:     "iso9660",
	unix.MSDOS_SUPER_MAGIC:     "vfat",
	unix.EXFAT_SUPER_MAGIC:     "exfat",
	0x5346544e:                 "ntfs",
	0x7366746e:                 "ntfs3",
	unix.REISERFS_SUPER_MAGIC:  "reiserfs",
	0x3153464a:                 "jfs",
	unix.ECRYPTFS_SUPER_MAGIC:  "ecryptfs",
	unix.FUSE_SUPER_MAGIC:      "fuse",
	unix.NFS_SUPER_MAGIC:       "nfs",
	unix.CIFS_SUPER_MAGIC:      "cifs",
	unix.SMB2_SUPER_MAGIC:      "smb2",
	unix.SMB_SUPER_MAGIC:       "smb",
	unix.V9FS_MAGIC:            "9p",
	unix.CEPH_SUPER_MAGIC:      "ceph",
	unix.AFS_SUPER_MAGIC:       "afs",
	unix.CODA_SUPER_MAGIC:      "coda",
	unix.OCFS2_SUPER_MAGIC:     "ocfs2",
	0x01161970:                 "gfs2",
	0x0bd00bd0:                 "lustre",
	0x47504653:                 "gpfs",
	0x786f4256:                 "vboxsf",
}

// mountKind finds the name of path's file system in the mount table, or "".
func mountKind(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	return kindInTable(string(table), real)
}

// kindInTable takes the last mount with the longest mount point above path: a
// later mount hides an earlier one.
func kindInTable(table, path string) string {
	kind, longest := "", -1
	for line := range strings.Lines(table) {
		// id parent major:minor root mount-point options … - kind source options
		before, after, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(rest) < 1 {
			continue
		}
		point := unescape.Replace(fields[4])
		below := path == point || point == "/" || strings.HasPrefix(path, point+"/")
		if below && len(point) >= longest {
			kind, longest = rest[0], len(point)
		}
	}
	return kind
}

// unescape undoes the octal escapes of the mount table.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
