package dir

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

// List implements bucket.Bucket. Links and special files are no objects.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		if start, ok := b.startOf(prefix); ok {
			b.walk(ctx, start, prefix, yield)
		} else if ctx.Err() != nil {
			yield(bucket.Info{}, context.Cause(ctx))
		}
	}
}

// startOf gives the key of the innermost folder that holds all keys with a
// prefix ("" is the root); false if there is no such folder.
func (b *Bucket) startOf(prefix string) (string, bool) {
	folder := strings.TrimSuffix(prefix[:strings.LastIndexByte(prefix, '/')+1], "/")
	if folder == "" {
		return "", true
	}
	if bucket.CheckKey(folder) != nil || isTransient(firstElement(folder)) {
		return "", false
	}
	at := b.root
	for part := range strings.SplitSeq(folder, "/") {
		at = filepath.Join(at, part)
		if info, err := os.Lstat(at); err != nil || !info.IsDir() {
			return "", false
		}
	}
	return folder, true
}

// walk lists below one folder; false ends the whole list.
func (b *Bucket) walk(ctx context.Context, folder, prefix string, yield func(bucket.Info, error) bool) bool {
	if ctx.Err() != nil {
		yield(bucket.Info{}, context.Cause(ctx))
		return false
	}
	at := filepath.Join(b.root, filepath.FromSlash(folder))
	entries, err := readSorted(at)
	if err != nil {
		yield(bucket.Info{}, err)
		return false
	}
	for _, e := range entries {
		key := path.Join(folder, e.Name())
		if folder == "" && isTransient(key) || key == lockKey {
			continue
		}
		switch {
		case e.IsDir():
			if !related(key+"/", prefix) {
				continue
			}
			if !b.walk(ctx, key, prefix, yield) {
				return false
			}
		case e.Type().IsRegular() && strings.HasPrefix(key, prefix):
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				yield(bucket.Info{}, volume.Explain("list", filepath.Join(at, e.Name()), pathless(err)))
				return false
			}
			if !yield(bucket.Info{Key: key, Size: info.Size(), ModTime: info.ModTime()}, nil) {
				return false
			}
		}
	}
	return true
}

// Folders implements bucket.Bucket.
func (b *Bucket) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := bucket.CheckFolder(prefix); err != nil {
			yield("", err)
			return
		}
		if ctx.Err() != nil {
			yield("", context.Cause(ctx))
			return
		}
		folder, ok := b.startOf(prefix)
		if !ok {
			return
		}
		entries, err := readSorted(filepath.Join(b.root, filepath.FromSlash(folder)))
		if err != nil {
			yield("", err)
			return
		}
		for _, e := range entries {
			if !e.IsDir() || folder == "" && isTransient(e.Name()) {
				continue
			}
			if !yield(e.Name(), nil) {
				return
			}
		}
	}
}

// readSorted reads a folder in the order of the keys. One that is not there
// yet, or was removed beside us, is empty.
func readSorted(at string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, volume.Explain("list", at, pathless(err))
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return cmp.Compare(sortKey(x), sortKey(y)) })
	return entries, nil
}

// sortKey puts a folder where its keys belong: they go on with a slash.
func sortKey(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// related tells whether keys below a folder can have the prefix.
func related(folder, prefix string) bool {
	return strings.HasPrefix(folder, prefix) || strings.HasPrefix(prefix, folder)
}
