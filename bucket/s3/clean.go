package s3

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// keepResumable is how long a stage that can be resumed waits for that.
const keepResumable = 7 * 24 * time.Hour

// Clean implements bucket.Bucket. Stages of this process count as left behind,
// too: whoever holds the lease knows of no other writer.
func (b *Bucket) Clean(ctx context.Context) ([]string, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	l := b.holder()
	if l.isLost() {
		return nil, b.fail("clean", "", bucket.ErrFenced)
	}
	var removed []string
	for _, clean := range []func(context.Context, *lease) ([]string, error){b.cleanTrees, b.cleanScratch, b.cleanUploads} {
		some, err := clean(ctx, l)
		removed = append(removed, some...)
		if err != nil {
			return removed, b.fail("clean", "", err)
		}
	}
	return removed, nil
}

// cleanTrees settles every entry: of a whole tree only the entry goes.
func (b *Bucket) cleanTrees(ctx context.Context, l *lease) ([]string, error) {
	var removed []string
	var damaged error
	for found, err := range b.raw(ctx, stagesDir, false) {
		if err != nil {
			return removed, err
		}
		e, f, err := b.readEntry(ctx, found.key)
		if errors.Is(err, errAbsent) {
			continue
		}
		if errors.Is(err, holdfast.ErrDamaged) {
			damaged = errors.Join(damaged, err)
			continue // the others can still go
		}
		if err != nil {
			return removed, err
		}
		whole, _, err := b.isWhole(ctx, e.Prefix, e.Marker)
		switch {
		case err != nil:
			return removed, err
		case whole:
			if err := b.remove(ctx, l, found.key); err != nil {
				return removed, err
			}
			continue
		case e.Kind == kindStage && e.Resume && f.age < keepResumable:
			continue
		}
		known := b.disown(e.Prefix)
		if err := b.clear(ctx, l, e, known); err != nil {
			return removed, err
		}
		removed = append(removed, e.Prefix)
	}
	return removed, damaged
}

// disown ends the stage of this process that has a prefix, and gives its
// objects.
func (b *Bucket) disown(prefix string) map[string]facts {
	b.mu.Lock()
	s := b.staged[prefix]
	b.mu.Unlock()
	if s == nil {
		return nil
	}
	s.end(errEnded)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects
}

// cleanScratch removes what nobody will ever see, save what this process reads.
func (b *Bucket) cleanScratch(ctx context.Context, l *lease) ([]string, error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(removalsAtOnce)
	var removed []string
	err := b.removeBelow(gctx, l, g, scratchDir, func(key string) bool {
		b.mu.Lock()
		read := b.readers[key] != nil
		b.mu.Unlock()
		if !read {
			removed = append(removed, key)
		}
		return read
	})
	return removed, errors.Join(g.Wait(), err)
}

// cleanUploads gives up the uploads that nobody will complete. A writer that
// was paused in one finds it gone.
func (b *Bucket) cleanUploads(ctx context.Context, l *lease) ([]string, error) {
	type upload struct{ at, id string }
	var left []upload
	err := b.retry(ctx, 0, func(ctx context.Context) error {
		left = nil
		for key, id := "", ""; ; {
			page, err := b.core.ListMultipartUploads(ctx, b.o.Bucket, b.below(""), key, id, "", pageSize)
			if err != nil {
				return err
			}
			for _, u := range page.Uploads {
				left = append(left, upload{u.Key, u.UploadID})
			}
			if !page.IsTruncated {
				return nil
			}
			key, id = page.NextKeyMarker, page.NextUploadIDMarker
		}
	})
	if errors.Is(err, errAbsent) || absent(err) || minio.ToErrorResponse(err).Code == "NotImplemented" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, u := range left {
		b.mu.Lock()
		ours := b.pending[u.id]
		b.mu.Unlock()
		if ours {
			continue
		}
		if err := b.abortUpload(ctx, l, u.at, u.id); err != nil {
			return removed, err
		}
		removed = append(removed, "upload of "+strings.TrimPrefix(u.at, b.below("")))
	}
	slices.Sort(removed)
	return removed, nil
}
