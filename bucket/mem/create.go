package mem

import (
	"context"
	"time"

	"github.com/holdfast-backup/holdfast/bucket"
)

// Create implements bucket.Bucket.
func (b *Bucket) Create(ctx context.Context, key string) (bucket.Writer, error) {
	if err := b.beginKey(ctx, "create", key); err != nil {
		return nil, err
	}
	return &single{b: b, ctx: ctx, key: key, blob: &blob{}}, nil
}

// single writes one object that belongs to no stage.
type single struct {
	b    *Bucket
	ctx  context.Context
	key  string
	blob *blob
	done bool
}

func (w *single) ready() error {
	if w.done {
		return (&stage{}).fail("write", w.key, errClosed)
	}
	return w.b.begin(w.ctx, "write", w.key)
}

// Write implements io.Writer.
func (w *single) Write(p []byte) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	w.blob.append(p)
	return len(p), nil
}

// Skip implements bucket.Writer.
func (w *single) Skip(n int64) error {
	if err := w.ready(); err != nil {
		return err
	}
	if n < 0 {
		return (&stage{}).fail("write", w.key, errNegative)
	}
	w.blob.size += n
	return nil
}

// Close implements bucket.Writer.
func (w *single) Close() error {
	if err := w.ready(); err != nil {
		return err
	}
	w.done = true
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	w.b.objects[w.key] = object{w.blob, time.Now()}
	return nil
}

// Discard implements bucket.Writer.
func (w *single) Discard() error {
	w.done = true
	return nil
}
