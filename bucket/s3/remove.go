package s3

import (
	"context"
	"errors"
	"path"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-backup/holdfast/bucket"
)

// removalsAtOnce bounds the deletions on their way.
const removalsAtOnce = 8

// RemoveTree implements bucket.Bucket. The entry comes first, so that Clean can
// end what a cut leaves; with the marker the tree is gone for every reader.
func (b *Bucket) RemoveTree(ctx context.Context, prefix, marker string) error {
	if err := bucket.CheckKey(marker); err != nil {
		return err
	}
	if err := b.begin(ctx, prefix); err != nil {
		return err
	}
	return b.fail("remove", prefix, b.removeTree(ctx, prefix, marker))
}

func (b *Bucket) removeTree(ctx context.Context, prefix, marker string) error {
	l := b.holder()
	if _, done, err := l.guard(ctx); err != nil {
		return err
	} else {
		done()
	}
	whole, f, err := b.isWhole(ctx, prefix, marker)
	switch {
	case err != nil:
		return err
	case f.isReservation():
		return nil // a stage's: no tree yet
	case whole && f.locked.After(b.o.Now()):
		// Where objects have versions the deletions would all succeed, and
		// hide what nothing removes any more.
		return lockedUntil(f.locked)
	case !whole:
		old, _, err := b.readEntry(ctx, entryKey(prefix))
		if err == nil && old.Kind == kindStage {
			return nil // between its entry and its reservation
		}
		if err != nil && !errors.Is(err, errAbsent) {
			return err
		}
		if some, err := b.anything(ctx, prefix+"/"); err != nil || !some && old.Kind == "" {
			return err
		}
	}
	e := entry{Kind: kindRemoval, Prefix: prefix, Marker: marker}
	if _, err := b.writeEntry(ctx, l, e, condition{}); err != nil {
		return err
	}
	return b.clear(ctx, l, e, nil)
}

// clear removes a tree and its entry: the marker or its reservation, all other
// objects, the entry. known are objects that may be missing in the listing.
func (b *Bucket) clear(ctx context.Context, l *lease, e entry, known map[string]facts) error {
	marker := path.Join(e.Prefix, e.Marker)
	if err := b.remove(ctx, l, marker); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(removalsAtOnce)
	for key := range known {
		if key != e.Marker {
			g.Go(func() error { return b.remove(gctx, l, path.Join(e.Prefix, key)) })
		}
	}
	err := b.removeBelow(gctx, l, g, e.Prefix+"/", func(key string) bool {
		_, is := known[key[len(e.Prefix)+1:]]
		return is || key == marker
	})
	if err := errors.Join(g.Wait(), err); err != nil {
		return err
	}
	return b.remove(ctx, l, entryKey(e.Prefix))
}

// removeBelow gives every object below a prefix to the group for removal, save
// those that are spared.
func (b *Bucket) removeBelow(ctx context.Context, l *lease, g *errgroup.Group, prefix string, spare func(key string) bool) error {
	for f, err := range b.raw(ctx, prefix, false) {
		if err != nil {
			return err
		}
		if !spare(f.key) {
			g.Go(func() error { return b.remove(ctx, l, f.key) })
		}
	}
	return nil
}
