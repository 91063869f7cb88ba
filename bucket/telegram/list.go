package telegram

import (
	"context"
	"iter"

	"github.com/holdfast-backup/holdfast/bucket"
)

// List implements bucket.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		s, err := b.look(ctx, false)
		if err != nil {
			yield(bucket.Info{}, b.fail("list", prefix, err))
			return
		}
		if s.idx == nil {
			return
		}
		for _, key := range s.idx.keys(prefix) {
			if ctx.Err() != nil {
				yield(bucket.Info{}, context.Cause(ctx))
				return
			}
			e := s.idx.Objects[key]
			if !yield(bucket.Info{Key: key, Size: e.Size, ModTime: e.ModTime}, nil) {
				return
			}
		}
	}
}

// Folders implements bucket.Bucket.
func (b *Bucket) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return bucket.FoldersOf(b.List(ctx, prefix), prefix)
}
