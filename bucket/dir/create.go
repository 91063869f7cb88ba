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
	w := &single{b: b, l: b.holder(), rel: rel, tmp: b.tempPath(rel)}
	fail := func(err error) error {
		return volume.Explain("write", filepath.Join(b.root, rel), pathless(err))
	}
	if err := w.l.check(); err != nil {
		return nil, fail(err)
	}
	if _, err := b.parent(rel); err != nil {
		return nil, fail(err)
	}
	f, err := b.fsys.Create(w.tmp, fileMode)
	if err != nil {
		return nil, fail(err)
	}
	w.content = content{ctx: ctx, fail: fail, f: f}
	return w, nil
}

// single writes one object that belongs to no stage.
type single struct {
	content
	b   *Bucket
	l   *lease // under which it began
	rel string
	tmp string
}

// Close implements bucket.Writer.
func (w *single) Close() error {
	if w.done {
		return w.fail(errClosed)
	}
	err := w.finish(true)
	if err == nil {
		err = w.keep(w.show())
	}
	if err != nil {
		return errors.Join(err, durable.Remove(w.b.fsys, w.tmp))
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
	if err := w.l.check(); err != nil {
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
