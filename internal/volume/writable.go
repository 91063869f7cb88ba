package volume

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// Writable tries what every backup and restore needs of a directory: make a
// file, sync it, read it back, rename it, remove it. Modes and mount flags alone
// say too little (root, ACLs, quotas, full disks, network shares). A directory
// that does not exist yet is answered for by the nearest one above it. The probe
// leaves nothing behind; if it is cut, durable.CleanTemps knows its names.
func Writable(fsys durable.FS, dir string) error {
	near, err := Nearest(dir)
	if err == nil {
		err = probe(fsys, near)
	}
	return Explain("write to", dir, err)
}

func probe(fsys durable.FS, dir string) (err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &holdfast.Error{Op: "directory", Object: dir, Err: errors.New("is a file")}
	}
	name := filepath.Join(dir, durable.TempName("probe"))
	renamed := filepath.Join(dir, durable.TempName("probe"))
	defer func() {
		for _, left := range []string{name, renamed} {
			// A file system without writing refuses even to remove nothing.
			if _, serr := os.Lstat(left); !errors.Is(serr, fs.ErrNotExist) {
				err = errors.Join(err, fsys.Remove(left))
			}
		}
	}()
	content := []byte("holdfast tries whether it can write here\n")
	if err := durable.WriteFile(fsys, name, content, 0o600); err != nil {
		return err
	}
	got, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, content) {
		return errors.New("a probe file read back other bytes than were written")
	}
	return durable.Rename(fsys, name, renamed)
}
