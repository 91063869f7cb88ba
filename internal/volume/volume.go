// Package volume answers what the engine asks of a file system before it
// writes: how much space is left, what kind it is, whether it lies across a
// network, whether a directory can really be written. It also gives the errors
// of a file system the hint that a person needs.
//
// Start from [Stat], [Writable], [Same] and [Explain].
package volume

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Unknown is the kind of a file system that the system does not name.
const Unknown = "unknown"

// Info describes the file system that holds a path.
type Info struct {
	// Path is the existing directory or file that was asked.
	Path string
	// Kind is the name of the file system: "ext4", "overlay", "tmpfs",
	// "nfs", "cifs", "fuse.sshfs" …, or Unknown.
	Kind string
	// Free is how many bytes an ordinary user can still write, Total the size
	// of the file system; both are -1 where the system does not tell.
	Free, Total int64
	// FreeInodes is how many files can still be made, -1 where the system does
	// not tell or has no such limit.
	FreeInodes int64
	// ReadOnly tells that the whole file system is mounted read-only.
	ReadOnly bool

	remote bool // the system itself says so (Windows)
}

// Stat describes the file system of path. A path that does not exist yet is
// answered for by the nearest directory above it.
func Stat(path string) (Info, error) {
	near, err := Nearest(path)
	if err != nil {
		return Info{}, err
	}
	return stat(near)
}

// Network tells whether the file system lies on another machine or is shared
// with one, where locks, syncs and SQLite's shared memory cannot be trusted.
func (i Info) Network() bool {
	if i.remote {
		return true
	}
	switch kind := strings.TrimPrefix(i.Kind, "fuse."); kind {
	case "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncp", "afs", "afpfs", "coda", "webdav", "davfs",
		"9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "ceph", "glusterfs", "lustre", "gpfs", "ocfs2", "gfs2", "beegfs",
		"sshfs", "rclone", "s3fs", "goofys", "gcsfuse", "mount-s3", "juicefs", "seaweedfs", "curlftpfs", "grpcfuse":
		return true
	}
	return false
}

// InMemory tells whether the file system lies in memory and is gone with the
// machine or container.
func (i Info) InMemory() bool { return i.Kind == "tmpfs" || i.Kind == "ramfs" }

// Layered tells whether the file system is put together from layers, as a
// container's own root is: what is written there is gone with the container.
func (i Info) Layered() bool {
	switch i.Kind {
	case "overlay", "aufs", "fuse.fuse-overlayfs":
		return true
	}
	return false
}

// Nearest gives path itself if it exists, else the nearest directory above it
// that does.
func Nearest(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for {
		if _, err = os.Stat(abs); err == nil {
			return abs, nil
		}
		// A link without a target stands for the place it leads to.
		if to, lerr := os.Readlink(abs); lerr == nil {
			if !filepath.IsAbs(to) {
				to = filepath.Join(filepath.Dir(abs), to)
			}
			if _, serr := os.Stat(to); errors.Is(serr, fs.ErrNotExist) {
				abs = filepath.Dir(to)
				continue
			}
		}
		parent := filepath.Dir(abs)
		if parent == abs || !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		abs = parent
	}
}
