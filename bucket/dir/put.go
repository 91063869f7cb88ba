package dir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

// Put implements bucket.Bucket.
func (b *Bucket) Put(ctx context.Context, key string, data []byte, mode bucket.PutMode) error {
	rel, err := b.begin(ctx, key)
	if err != nil {
		return err
	}
	return volume.Explain("write", filepath.Join(b.root, rel), pathless(b.put(rel, data, mode)))
}

// cleanings is how often a Put writes its object anew because another process has
// cleared away what was not finished: records that need no lock are written while
// the holder of the lock cleans.
const cleanings = 5

// errCleaned tells that the unfinished object is gone.
var errCleaned = errors.New("another process cleared it away before it was finished")

func (b *Bucket) put(rel string, data []byte, mode bucket.PutMode) error {
	var err error
	for range cleanings {
		if err = b.putOnce(rel, data, mode); !errors.Is(err, errCleaned) {
			break
		}
	}
	return err
}

func (b *Bucket) putOnce(rel string, data []byte, mode bucket.PutMode) error {
	l := b.holder()
	if err := l.check(); err != nil {
		return err
	}
	dir, err := b.parent(rel)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, filepath.Base(rel))
	switch taken, err := exactName(path); {
	case err != nil:
		return err
	case taken && mode == bucket.IfAbsent:
		return fmt.Errorf("taken: %w", fs.ErrExist)
	}
	tmp := b.tempPath(rel)
	if err := b.writeWhole(tmp, data); err != nil {
		return err
	}
	rename := b.fsys.Rename
	if mode == bucket.IfAbsent {
		rename = b.fsys.RenameNew
	}
	if err := l.check(); err != nil {
		return errors.Join(err, b.fsys.Remove(tmp))
	}
	if err := rename(tmp, path); err != nil {
		gone := b.fsys.Remove(tmp)
		if errors.Is(err, fs.ErrNotExist) && errors.Is(gone, fs.ErrNotExist) {
			return errCleaned
		}
		return errors.Join(pathless(err), gone)
	}
	// The root, where the temporary name was, is not synced: at worst a power
	// cut brings that name back, and Clean removes it.
	return b.fsys.SyncDir(dir)
}

// writeWhole makes a new durable file.
func (b *Bucket) writeWhole(path string, data []byte) error {
	f, err := b.fsys.Create(path, fileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, bytes.NewReader(data))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, b.fsys.Remove(path))
	}
	return nil
}

// exactName tells whether something has the name at path. Where the file system
// takes another name for the same (upper and lower case, two ways to write é),
// it fails with fs.ErrExist: replacing would destroy another object.
func exactName(path string) (bool, error) {
	if _, err := os.Lstat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return false, err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return false, err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(1000)
		for _, name := range names {
			if name == filepath.Base(path) {
				return true, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return false, fmt.Errorf("the file system takes its name for that of another object: %w", fs.ErrExist)
		}
		if err != nil {
			return false, err
		}
	}
}

// Delete implements bucket.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	rel, err := b.begin(ctx, key)
	if err != nil {
		return err
	}
	path := filepath.Join(b.root, rel)
	if err := b.inside(filepath.Dir(rel)); err != nil && !isNotDirectory(err) {
		return volume.Explain("delete", path, err)
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return nil // a folder is no object
	}
	if err := b.holder().check(); err != nil {
		return volume.Explain("delete", path, err)
	}
	err = durable.Remove(b.fsys, path)
	if isNotDirectory(err) {
		return nil
	}
	return volume.Explain("delete", path, pathless(err))
}
