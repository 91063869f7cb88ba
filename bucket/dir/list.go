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
	entries, err := os.ReadDir(at)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return true // not there yet, or removed beside us
		}
		yield(bucket.Info{}, volume.Explain("list", at, pathless(err)))
		return false
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return cmp.Compare(sortKey(x), sortKey(y)) })
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
