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
func WriteFileFunc(fsys FS, name string, perm fs.FileMode, fill func(io.Writer) error) error {
	if err := replace(fsys, name, perm, fill, File.Sync); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// PublishFile makes name hold data for whoever reads it: a reader meets the old
// file or the new one, never a part. It syncs nothing, and is for what means
// nothing any more after a power cut, like the state of a process that lives: after
// one the file may be old, empty or missing.
func PublishFile(fsys FS, name string, data []byte, perm fs.FileMode) error {
	return replace(fsys, name, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}, func(File) error { return nil })
}

// replace fills a new file, finishes it, and gives it the name.
func replace(fsys FS, name string, perm fs.FileMode, fill func(io.Writer) error, finish func(File) error) (err error) {
	dir, base := filepath.Split(name)
	tmp := filepath.Join(dir, TempName(base))
	f, err := fsys.Create(tmp, perm)
	if err != nil {
		return err
	}
	open := true
	defer func() {
		if open {
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			err = errors.Join(err, fsys.Remove(tmp))
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := finish(f); err != nil {
		return err
	}
	open = false
	if err := f.Close(); err != nil {
		return err
	}
	return fsys.Rename(tmp, name)
}
