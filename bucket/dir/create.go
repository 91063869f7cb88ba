package dir

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

// Create implements bucket.Bucket. The object is written under a temporary name
// in the root, like everything that is not complete.
func (b *Bucket) Create(ctx context.Context, key string) (bucket.Writer, error) {
	rel, err := b.begin(ctx, key)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (bucket.Writer, error) {
		return nil, volume.Explain("write", filepath.Join(b.root, rel), pathless(err))
	}
	if _, err := b.parent(rel); err != nil {
		return fail(err)
	}
	tmp := b.tempPath(rel)
	f, err := b.fsys.Create(tmp, fileMode)
	if err != nil {
		return fail(err)
	}
	return &single{b: b, ctx: ctx, rel: rel, tmp: tmp, f: f}, nil
}

// single writes one object that belongs to no stage.
type single struct {
	b    *Bucket
	ctx  context.Context // of Create: io.Writer has none
	rel  string
	tmp  string
	f    durable.File
	off  int64
	hole bool
	done bool
	err  error
}

func (w *single) keep(err error) error {
	if err != nil && w.err == nil {
		w.err = volume.Explain("write", filepath.Join(w.b.root, w.rel), pathless(err))
	}
	return w.err
}

func (w *single) ready() error {
	switch {
	case w.done:
		return volume.Explain("write", filepath.Join(w.b.root, w.rel), errClosed)
	case w.err != nil:
		return w.err
	case w.ctx.Err() != nil:
		return context.Cause(w.ctx)
	}
	return nil
}

// Write implements io.Writer.
func (w *single) Write(p []byte) (int, error) {
	if err := w.ready(); err != nil || len(p) == 0 {
		return 0, err
	}
	n, err := w.f.WriteAt(p, w.off)
	w.off += int64(n)
	w.hole = false
	return n, w.keep(err)
}

// Skip implements bucket.Writer.
func (w *single) Skip(n int64) error {
	if err := w.ready(); err != nil {
		return err
	}
	if n < 0 {
		return w.keep(errNegative)
	}
	w.off += n
	w.hole = w.hole || n > 0
	return nil
}

// Close implements bucket.Writer.
func (w *single) Close() error {
	if err := w.ready(); err != nil {
		return errors.Join(err, w.Discard())
	}
	w.done = true
	if w.hole {
		_ = w.keep(w.f.Truncate(w.off))
	}
	if w.err == nil {
		_ = w.keep(w.f.Sync())
	}
	_ = w.keep(w.f.Close())
	if w.err == nil {
		_ = w.keep(w.show())
	}
	if w.err != nil {
		return errors.Join(w.err, durable.Remove(w.b.fsys, w.tmp))
	}
	return nil
}

// show gives the object its name.
func (w *single) show() error {
	dir, err := w.b.parent(w.rel)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, filepath.Base(w.rel))
	if _, err := exactName(path); err != nil {
		return err
	}
	if err := w.b.fsys.Rename(w.tmp, path); err != nil {
		return err
	}
	return w.b.fsys.SyncDir(dir)
}

// Discard implements bucket.Writer.
func (w *single) Discard() error {
	if w.done {
		return nil
	}
	w.done = true
	return errors.Join(w.f.Close(), durable.Remove(w.b.fsys, w.tmp))
}
