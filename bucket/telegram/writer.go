package telegram

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/holdfast-backup/holdfast/bucket"
)

var _ bucket.Writer = (*writer)(nil)

// content is one complete object before an index names it: in memory, in a
// spool, or uploaded already and in a spool.
type content struct {
	size int64
	data []byte // if sp is nil
	sp   *spool
	off  int64   // in the spool
	up   *upload // of a large one
}

func (c *content) reader() io.ReaderAt {
	if c.sp == nil {
		return bytes.NewReader(c.data)
	}
	return c.sp.section(c.off, c.size)
}

// open gives the content as an object.
func (c *content) open() bucket.Object {
	o := &staged{from: c.reader(), size: c.size}
	if c.sp != nil {
		o.sp = c.sp.hold()
	}
	return o
}

// writer collects one object: small ones in memory, others in a spool.
type writer struct {
	b   *Bucket
	l   *lease // under which it began
	ctx context.Context
	key string
	// ready tells why nothing more is taken; nil of a writer without a stage.
	ready func() error
	// complete takes the object when the writer is closed; gone is told that
	// there will be none.
	complete func(c *content) error
	gone     func()

	mu   sync.Mutex
	room int64 // what the chat takes at most
	c    content
	done bool
	err  error
}

func (w *writer) fail(err error) error { return w.b.fail("write", w.key, err) }

// begin looks whether the writer can still take something; the caller holds the
// mutex.
func (w *writer) begin() error {
	switch {
	case w.done:
		return errClosed
	case w.ctx.Err() != nil:
		return context.Cause(w.ctx)
	case w.err != nil:
		return w.err
	case w.ready != nil:
		return w.ready()
	}
	return nil
}

// grow makes place for n bytes. What the chat cannot take is refused before the
// disk has to.
func (w *writer) grow(n int64) error {
	if w.c.size+n > w.room {
		return w.b.full(w.c.size+n, w.room)
	}
	if w.c.sp != nil || w.c.size+n <= inlineSize {
		return nil
	}
	sp, err := w.b.newSpool()
	if err != nil {
		return err
	}
	if _, err := sp.Write(w.c.data); err != nil {
		sp.drop()
		return err
	}
	w.c.sp, w.c.data = sp, nil
	return nil
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin(); err != nil {
		return 0, w.fail(err)
	}
	if w.err = w.grow(int64(len(p))); w.err != nil {
		return 0, w.fail(w.err)
	}
	n := len(p)
	if w.c.sp == nil {
		w.c.data = append(w.c.data, p...)
	} else {
		n, w.err = w.c.sp.Write(p)
	}
	w.c.size += int64(n)
	return n, w.fail(w.err)
}

// Skip implements bucket.Writer.
func (w *writer) Skip(n int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin(); err != nil {
		return w.fail(err)
	}
	if n < 0 {
		return w.fail(errNegative)
	}
	if w.err = w.grow(n); w.err == nil {
		if w.c.sp == nil {
			w.c.data = append(w.c.data, make([]byte, n)...)
		} else {
			w.err = w.c.sp.skip(n)
		}
		w.c.size += n
	}
	return w.fail(w.err)
}

// Close implements bucket.Writer.
func (w *writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin(); err != nil {
		if !errors.Is(err, errClosed) {
			w.drop()
		}
		return w.fail(err)
	}
	w.done = true
	if err := w.complete(&w.c); err != nil {
		w.c.sp.drop()
		w.gone()
		return w.fail(err)
	}
	return nil
}

// drop gives up what was written; the caller holds the mutex.
func (w *writer) drop() {
	w.done = true
	w.c.sp.drop()
	w.c = content{}
	w.gone()
}

// Discard implements bucket.Writer.
func (w *writer) Discard() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done {
		w.drop()
	}
	return nil
}

// newWriter begins an object.
func (b *Bucket) newWriter(ctx context.Context, l *lease, key string) (*writer, error) {
	s, err := b.look(ctx, false)
	if err != nil {
		return nil, err
	}
	return &writer{b: b, l: l, ctx: ctx, key: key, room: b.room(s.idx), gone: func() {}}, nil
}

// Create implements bucket.Bucket.
func (b *Bucket) Create(ctx context.Context, key string) (bucket.Writer, error) {
	if err := begin(ctx, key); err != nil {
		return nil, err
	}
	l := b.holder()
	if l.isLost() {
		return nil, b.fail("write", key, bucket.ErrFenced)
	}
	w, err := b.newWriter(ctx, l, key)
	if err != nil {
		return nil, b.fail("write", key, err)
	}
	w.complete = func(c *content) error {
		if err := b.store(ctx, l, key, c, bucket.Replace); err != nil {
			return err
		}
		c.sp.drop()
		return nil
	}
	return w, nil
}

// Put implements bucket.Bucket.
func (b *Bucket) Put(ctx context.Context, key string, data []byte, mode bucket.PutMode) error {
	if err := begin(ctx, key); err != nil {
		return err
	}
	return b.fail("put", key, b.store(ctx, b.holder(), key, &content{size: int64(len(data)), data: bytes.Clone(data)}, mode))
}

// store puts one object into the chat.
func (b *Bucket) store(ctx context.Context, l *lease, key string, c *content, mode bucket.PutMode) error {
	s, err := b.look(ctx, false)
	if err != nil {
		return err
	}
	var up *upload
	if !s.idx.fits(c.size) {
		if up, err = b.upload(ctx, l, joined{{c.reader(), c.size}}, false); err != nil {
			return err
		}
		defer up.end()
	}
	freed := false
	err = b.change(ctx, l, func(x *index) error {
		old, there := x.Objects[key]
		if there && mode == bucket.IfAbsent {
			return errTaken
		}
		e := entry{Size: c.size, ModTime: b.o.Now().UTC()}
		if up == nil {
			if room := b.room(x); c.size > room {
				return b.full(c.size, room)
			}
			e.data = c.data
		} else if e.Pack, err = up.place(x); err != nil {
			return err
		}
		x.Objects[key] = e
		freed = old.Pack != ""
		x.sweepPacks()
		return nil
	})
	if err != nil {
		return err
	}
	up.end()
	if freed {
		b.tidy(ctx, l)
	}
	return nil
}
