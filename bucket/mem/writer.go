package mem

import (
	"context"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// writer collects one object, of a stage or of none.
type writer struct {
	b     *Bucket
	l     *lease // under which it began
	ctx   context.Context
	key   string
	blob  *blob
	done  bool
	stage func() error    // why the stage takes nothing more; nil without a stage
	end   func(o *object) // takes the object, nil if there is none; the bucket's mutex is held
}

// Create implements bucket.Bucket.
func (b *Bucket) Create(ctx context.Context, key string) (bucket.Writer, error) {
	if err := b.beginKey(ctx, "create", key); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.taken.fenced("create", key); err != nil {
		return nil, err
	}
	return &writer{b: b, l: b.taken, ctx: ctx, key: key, blob: &blob{}, end: func(o *object) {
		if o != nil {
			b.objects[key] = *o
		}
	}}, nil
}

func (w *writer) fail(err error) error {
	return &holdfast.Error{Op: "write", Object: w.key, Err: err}
}

// ready looks whether the writer can still take something.
func (w *writer) ready() error {
	if w.done {
		return w.fail(errClosed)
	}
	if err := w.b.begin(w.ctx, "write", w.key); err != nil {
		return err
	}
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	if w.stage == nil {
		return nil
	}
	return w.stage()
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	w.blob.append(p)
	return len(p), nil
}

// Skip implements bucket.Writer.
func (w *writer) Skip(n int64) error {
	if err := w.ready(); err != nil {
		return err
	}
	if n < 0 {
		return w.fail(errNegative)
	}
	w.blob.size += n
	return nil
}

// Close implements bucket.Writer.
func (w *writer) Close() error {
	if err := w.ready(); err != nil {
		return err
	}
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	if err := w.l.fenced("write", w.key); err != nil {
		return err
	}
	w.done = true
	w.end(&object{w.blob, time.Now()})
	return nil
}

// Discard implements bucket.Writer.
func (w *writer) Discard() error {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	if !w.done {
		w.done = true
		w.end(nil)
	}
	return nil
}
