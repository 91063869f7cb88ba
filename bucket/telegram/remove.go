package telegram

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast/bucket"
)

// Delete implements bucket.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := begin(ctx, key); err != nil {
		return err
	}
	return b.fail("delete", key, b.remove(ctx, func(at string) bool { return at == key }))
}

// RemoveTree implements bucket.Bucket. The index forgets the whole tree at once,
// and then its messages are freed.
func (b *Bucket) RemoveTree(ctx context.Context, prefix, marker string) error {
	if err := bucket.CheckKey(marker); err != nil {
		return err
	}
	if err := begin(ctx, prefix); err != nil {
		return err
	}
	return b.fail("remove", prefix, b.remove(ctx, func(at string) bool { return strings.HasPrefix(at, prefix+"/") }))
}

func (b *Bucket) remove(ctx context.Context, which func(key string) bool) error {
	l := b.holder()
	free := false
	err := b.change(ctx, l, func(x *index) error {
		objects, packs := len(x.Objects), len(x.Packs)
		maps.DeleteFunc(x.Objects, func(key string, _ entry) bool { return which(key) })
		if len(x.Objects) == objects {
			return errNothing
		}
		x.sweepPacks()
		free = len(x.Packs) < packs
		return nil
	})
	if err == nil && free {
		b.tidy(ctx, l)
	}
	return err
}

// Clean implements bucket.Bucket. Stages that are still open count as left
// behind: whoever holds the lease knows of no other writer. Pieces that were
// uploaded for a stage that can be resumed wait for a week.
func (b *Bucket) Clean(ctx context.Context) ([]string, error) {
	removed, err := b.clean(ctx, b.holder())
	return removed, b.fail("clean", "", err)
}

func (b *Bucket) clean(ctx context.Context, l *lease) (removed []string, err error) {
	if err := l.check(ctx); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	now := b.o.Now()
	b.mu.Lock()
	var left []*stage
	for s := range b.staged {
		if !s.resume || now.Sub(s.begun) >= keepUploaded {
			left = append(left, s)
		}
	}
	b.mu.Unlock()
	for _, s := range left {
		removed = append(removed, s.prefix)
		if err := s.Abort(ctx); err != nil {
			return removed, err
		}
	}
	freed, err := b.free(ctx, l)
	for _, message := range freed {
		removed = append(removed, fmt.Sprintf("message %d", message))
	}
	if err == nil && len(freed) > 0 {
		err = b.change(ctx, l, func(*index) error { return nil })
	}
	slices.Sort(removed)
	return removed, err
}
