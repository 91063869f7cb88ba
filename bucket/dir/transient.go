package dir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

const (
	tempPrefix    = ".tmp-" // durable.TempName's
	deletedPrefix = ".deleted-"
)

// tempPath gives a place for what is being written and will have the name of
// key's last element.
func (b *Bucket) tempPath(rel string) string {
	return filepath.Join(b.root, durable.TempName(filepath.Base(rel)))
}

// deletedPath gives a place for what is being removed.
func (b *Bucket) deletedPath(rel string) string {
	random := strings.TrimPrefix(durable.TempName(filepath.Base(rel)), tempPrefix)
	return filepath.Join(b.root, deletedPrefix+random)
}

// isTransient tells whether an entry of the root is one of the above, or a
// stage that can be resumed.
func isTransient(name string) bool {
	if isResumable(name) {
		return true
	}
	if random, ok := strings.CutPrefix(name, deletedPrefix); ok {
		return durable.IsTemp(tempPrefix + random)
	}
	return durable.IsTemp(name)
}

// Clean implements bucket.Bucket.
func (b *Bucket) Clean(ctx context.Context) ([]string, error) {
	l := b.holder()
	if err := l.check(); err != nil {
		return nil, volume.Explain("clean", b.root, err)
	}
	entries, err := os.ReadDir(b.root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, volume.Explain("clean", b.root, pathless(err))
	}
	var removed []string
	var errs []error
	for _, e := range entries {
		if ctx.Err() != nil {
			return removed, context.Cause(ctx)
		}
		if !isTransient(e.Name()) {
			continue
		}
		path := filepath.Join(b.root, e.Name())
		if isResumable(e.Name()) && waits(path, time.Now()) {
			continue
		}
		if err := l.check(); err != nil {
			errs = append(errs, volume.Explain("clean", b.root, err))
			break
		}
		if err := b.fsys.RemoveAll(path); err != nil {
			errs = append(errs, volume.Explain("clean", path, err))
			continue // the others can still go
		}
		removed = append(removed, e.Name())
	}
	if len(removed) > 0 {
		errs = append(errs, volume.Explain("clean", b.root, b.fsys.SyncDir(b.root)))
	}
	if ctx.Err() != nil {
		return removed, context.Cause(ctx)
	}
	return removed, errors.Join(errs...)
}

// RemoveTree implements bucket.Bucket. One durable rename hides the tree; only
// then its files go, the marker first.
func (b *Bucket) RemoveTree(ctx context.Context, prefix, marker string) error {
	relMarker, err := localKey(marker)
	if err != nil {
		return err
	}
	rel, err := b.begin(ctx, prefix)
	if err != nil {
		return err
	}
	path := filepath.Join(b.root, rel)
	fail := func(err error) error { return volume.Explain("remove", path, err) }
	if err := b.inside(filepath.Dir(rel)); err != nil && !isNotDirectory(err) {
		return fail(err)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), isNotDirectory(err):
		return nil
	case err != nil:
		return fail(pathless(err))
	case !info.IsDir():
		return nil // an object or a link, not a tree of ours
	}
	if err := b.holder().check(); err != nil {
		return fail(err)
	}
	hidden := b.deletedPath(rel)
	if err := durable.Rename(b.fsys, path, hidden); err != nil {
		return fail(pathless(err))
	}
	if err := b.removeMarker(filepath.Join(hidden, relMarker)); err != nil {
		return fail(err)
	}
	return fail(durable.RemoveAll(b.fsys, hidden))
}

// removeMarker removes the file that makes a tree whole, durably, unless it is
// not there.
func (b *Bucket) removeMarker(path string) error {
	err := durable.Remove(b.fsys, path)
	if isNotDirectory(err) {
		return nil
	}
	return err
}
