package durable

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
)

// WriteFile makes name hold data, entirely or not at all: a reader, or a power
// cut at any point, meets the old file or the new one. On nil the new one is
// durable.
func WriteFile(fsys FS, name string, data []byte, perm fs.FileMode) error {
	return WriteFileFunc(fsys, name, perm, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	})
}

// WriteFileFunc is WriteFile for content that fill writes. If fill fails, the
// old file stays and the error is returned.
func WriteFileFunc(fsys FS, name string, perm fs.FileMode, fill func(io.Writer) error) (err error) {
	dir, base := filepath.Split(name)
	tmp := filepath.Join(dir, TempName(base))
	f, err := fsys.Create(tmp, perm)
	if err != nil {
		return err
	}
	open, renamed := true, false
	defer func() {
		if open {
			err = errors.Join(err, f.Close())
		}
		if err != nil && !renamed {
			err = errors.Join(err, fsys.Remove(tmp))
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	open = false
	if err := f.Close(); err != nil {
		return err
	}
	if err := fsys.Rename(tmp, name); err != nil {
		return err
	}
	renamed = true
	return fsys.SyncDir(filepath.Dir(name))
}
