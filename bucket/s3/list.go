package s3

import (
	"context"
	"errors"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

const pageSize = 1000

// found is an element of a raw listing: an object, or a folder with a slash at
// its end.
type found struct {
	key  string
	etag string
	info bucket.Info
}

// raw lists what lies in the service below a prefix of ours, hidden or not, in
// the order of the keys. A listing that fails in the middle goes on behind the
// last key that came.
func (b *Bucket) raw(ctx context.Context, prefix string, folders bool) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		last := ""
		for ended := false; !ended; {
			var page []found
			err := b.retry(ctx, 0, func(ctx context.Context) (err error) {
				page, err = b.page(ctx, prefix, last, folders)
				return err
			})
			if err != nil {
				yield(found{}, b.fail("list", strings.TrimSuffix(prefix, "/"), err))
				return
			}
			ended = folders || len(page) < pageSize
			for _, f := range page {
				if last = f.key; !yield(f, nil) {
					return
				}
			}
		}
	}
}

// page asks for what comes after a key. Folders come all at once: they are few,
// and the service mixes them with objects page by page in an order of its own.
func (b *Bucket) page(ctx context.Context, prefix, after string, folders bool) ([]found, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the library's listing
	o := minio.ListObjectsOptions{Prefix: b.below(prefix), Recursive: !folders, MaxKeys: pageSize}
	if after != "" {
		o.StartAfter = b.below(after)
	}
	var page []found
	for info := range b.core.ListObjectsIter(ctx, b.o.Bucket, o) {
		if info.Err != nil {
			return nil, info.Err
		}
		key := strings.TrimPrefix(info.Key, b.below(""))
		// An object is no folder; and some consoles leave objects that stand
		// for folders, which are no objects.
		if key <= after || key == "" || strings.HasSuffix(key, "/") != folders {
			continue
		}
		page = append(page, found{key, info.ETag, bucket.Info{Key: key, Size: info.Size, ModTime: info.LastModified}})
		if !folders && len(page) == pageSize {
			break
		}
	}
	if folders {
		slices.SortFunc(page, func(x, y found) int { return strings.Compare(x.key, y.key) })
	}
	return page, nil
}

// List implements bucket.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		if ctx.Err() != nil {
			yield(bucket.Info{}, context.Cause(ctx))
			return
		}
		if !listable(prefix) {
			return
		}
		hidden, err := b.hidden(ctx, prefix)
		if err != nil {
			yield(bucket.Info{}, b.fail("list", prefix, err))
			return
		}
		for f, err := range b.raw(ctx, prefix, false) {
			if err != nil {
				yield(bucket.Info{}, err)
				return
			}
			if reserved(f.key) || hidden.covers(f.key) {
				continue
			}
			if !yield(f.info, nil) {
				return
			}
		}
	}
}

// listable tells whether keys can have the prefix.
func listable(prefix string) bool {
	folder, ok := strings.CutSuffix(prefix, "/")
	if !ok {
		folder = path.Dir(prefix)
	}
	return prefix == "" || folder == "." || bucket.CheckKey(folder) == nil
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
		hidden, err := b.hidden(ctx, prefix)
		if err != nil {
			yield("", b.fail("list", prefix, err))
			return
		}
		for f, err := range b.raw(ctx, prefix, true) {
			if err != nil {
				yield("", err)
				return
			}
			name := strings.TrimSuffix(strings.TrimPrefix(f.key, prefix), "/")
			if hidden.covers(f.key) || reserved(strings.TrimSuffix(f.key, "/")) && f.key != ownFolder+"/" {
				continue
			}
			if f.key == ownFolder+"/" || hidden.reaches(f.key) {
				if shown, err := b.shows(ctx, f.key); err != nil {
					yield("", err)
					return
				} else if !shown {
					continue
				}
			}
			if !yield(name, nil) {
				return
			}
		}
	}
}

// shows tells whether any object below prefix can be seen.
func (b *Bucket) shows(ctx context.Context, prefix string) (bool, error) {
	for _, err := range b.List(ctx, prefix) {
		return err == nil, err
	}
	return false, nil
}

// trees are prefixes whose objects nobody is to see.
type trees []string

// covers tells whether a key lies in one of the trees.
func (t trees) covers(key string) bool {
	return slices.ContainsFunc(t, func(prefix string) bool { return strings.HasPrefix(key, prefix+"/") })
}

// reaches tells whether one of the trees lies below a folder.
func (t trees) reaches(folder string) bool {
	return slices.ContainsFunc(t, func(prefix string) bool { return strings.HasPrefix(prefix, folder) })
}

// hidden gives the trees that are not whole: those of stages and of removals,
// as far as they have to do with prefix.
func (b *Bucket) hidden(ctx context.Context, prefix string) (trees, error) {
	b.mu.Lock()
	all := slices.Collect(maps.Keys(b.staged)) // these even if the listing is late
	b.mu.Unlock()
	for f, err := range b.raw(ctx, stagesDir, false) {
		if err != nil {
			return nil, err
		}
		e, _, err := b.readEntry(ctx, f.key)
		// One that cannot be read hides nothing: nobody knows what it meant.
		if errors.Is(err, errAbsent) || errors.Is(err, holdfast.ErrDamaged) || err == nil && (slices.Contains(all, e.Prefix) || !strings.HasPrefix(e.Prefix+"/", prefix) && !strings.HasPrefix(prefix, e.Prefix+"/")) {
			continue
		}
		if err != nil {
			return nil, err
		}
		whole, _, err := b.isWhole(ctx, e.Prefix, e.Marker)
		if err != nil {
			return nil, err
		}
		if !whole {
			all = append(all, e.Prefix)
		}
	}
	return all, nil
}
