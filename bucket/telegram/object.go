package telegram

import (
	"bytes"
	"context"
	"io"
	"sort"
	"sync"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

var (
	_ bucket.Object = (*object)(nil)
	_ bucket.Object = (*staged)(nil)
)

// object is an open object of the chat. The messages in which it lies are not
// freed by this process until it is closed.
type object struct {
	b    *Bucket
	ctx  context.Context
	key  string
	e    entry
	p    pack
	ends []int64 // of the pieces in the pack
	id   *age.X25519Identity
	once sync.Once
}

// Open implements bucket.Bucket.
func (b *Bucket) Open(ctx context.Context, key string) (bucket.Object, error) {
	if err := begin(ctx, key); err != nil {
		return nil, err
	}
	s, err := b.look(ctx, false)
	if err != nil {
		return nil, b.fail("open", key, err)
	}
	if s.idx == nil {
		return nil, b.fail("open", key, errAbsent)
	}
	e, ok := s.idx.Objects[key]
	if !ok {
		return nil, b.fail("open", key, errAbsent)
	}
	return b.object(ctx, key, e, s.idx), nil
}

func (b *Bucket) object(ctx context.Context, key string, e entry, x *index) *object {
	o := &object{b: b, ctx: ctx, key: key, e: e, p: x.Packs[e.Pack], id: x.identity}
	end := int64(0)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, at := range o.p.Pieces {
		end += at.Size
		o.ends = append(o.ends, end)
		b.reading[at.Message]++
	}
	return o
}

// Size implements bucket.Object.
func (o *object) Size() int64 { return o.e.Size }

// ReadAt implements io.ReaderAt. The pieces that it needs are downloaded and
// compared with what was stored before a byte of them is given.
func (o *object) ReadAt(p []byte, off int64) (int, error) {
	from := io.ReaderAt(bytes.NewReader(o.e.data))
	if o.e.Pack != "" {
		from = (*packed)(o)
	}
	return readAt(from, o.e.Size, p, off)
}

// Close implements io.Closer.
func (o *object) Close() error {
	o.once.Do(func() {
		o.b.mu.Lock()
		defer o.b.mu.Unlock()
		for _, at := range o.p.Pieces {
			if o.b.reading[at.Message]--; o.b.reading[at.Message] <= 0 {
				delete(o.b.reading, at.Message)
			}
		}
	})
	return nil
}

// packed reads an object from its pieces.
type packed object

// ReadAt implements io.ReaderAt; all of p lies in the object.
func (o *packed) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for at := o.e.Offset + off; done < len(p); {
		i := sort.Search(len(o.ends), func(i int) bool { return o.ends[i] > at })
		if i == len(o.ends) {
			return done, io.EOF
		}
		begins := o.ends[i] - o.p.Pieces[i].Size
		n := int(min(int64(len(p)-done), o.ends[i]-at))
		if err := o.piece(p[done:done+n], i, at-begins); err != nil {
			return done, err
		}
		done += n
		at += int64(n)
	}
	return done, nil
}

// piece reads from one piece.
func (o *packed) piece(p []byte, i int, off int64) error {
	sp, err := o.b.pieces.get(o.ctx, o.p.Pieces[i], o.id)
	if err != nil {
		return &holdfast.Error{Op: "read", Object: o.key, Err: err}
	}
	defer sp.drop()
	if _, err := sp.f.ReadAt(p, off); err != nil {
		return &holdfast.Error{Op: "read", Object: o.key, Err: err}
	}
	return nil
}

// staged is an open object of a stage.
type staged struct {
	from io.ReaderAt
	size int64
	sp   *spool // held; nil if the object lies in memory
	once sync.Once
}

// Size implements bucket.Object.
func (o *staged) Size() int64 { return o.size }

// ReadAt implements io.ReaderAt.
func (o *staged) ReadAt(p []byte, off int64) (int, error) { return readAt(o.from, o.size, p, off) }

// Close implements io.Closer.
func (o *staged) Close() error {
	o.once.Do(o.sp.drop)
	return nil
}
