package telegram

import (
	"context"
	"errors"
	"io"
	"maps"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast/bucket"
)

var _ bucket.Stage = (*stage)(nil)

// stage is a tree that no index names yet. Its objects wait in memory and in
// spools; large ones are uploaded when they are complete, the others at Commit,
// in one pack. After the death of the process what was uploaded is found again by
// its content.
type stage struct {
	b      *Bucket
	l      *lease // under which it began
	prefix string
	marker string
	resume bool
	begun  time.Time

	mu      sync.Mutex
	objects map[string]*content // complete, by key below prefix
	writers map[string]*writer  // being written
	pool    *spool              // of the objects that are neither small nor large
	ended   bool
	cause   error // why, if somebody else ended it
}

// Stage implements bucket.Bucket.
func (b *Bucket) Stage(ctx context.Context, prefix string, o bucket.StageOptions) (bucket.Stage, error) {
	if err := bucket.CheckKey(o.Marker); err != nil {
		return nil, err
	}
	if err := begin(ctx, prefix); err != nil {
		return nil, err
	}
	l := b.holder()
	if err := l.check(ctx); err != nil {
		return nil, b.fail("stage", prefix, err)
	}
	s := &stage{
		b: b, l: l, prefix: prefix, marker: o.Marker, resume: o.Resume, begun: b.o.Now(),
		objects: map[string]*content{}, writers: map[string]*writer{},
	}
	if old := b.enter(s); old != nil {
		old.handOver(s)
	}
	return s, nil
}

// enter counts a stage, and gives the one that it goes on with.
func (b *Bucket) enter(s *stage) *stage {
	b.mu.Lock()
	defer b.mu.Unlock()
	var before *stage
	for old := range b.staged {
		if s.resume && old.resume && old.prefix == s.prefix {
			before = old
			delete(b.staged, old)
		}
	}
	b.staged[s] = true
	return before
}

func (b *Bucket) leave(s *stage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.staged, s)
}

// handOver gives what is complete to the stage that goes on.
func (s *stage) handOver(to *stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	to.objects, to.pool = s.objects, s.pool
	s.objects, s.pool = nil, nil
	s.ended, s.cause = true, errors.New("another stage goes on with it")
}

func (s *stage) fail(op, key string, err error) error {
	return s.b.fail(op, path.Join(s.prefix, key), err)
}

// begin looks at what can stop an operation before it starts; the caller holds
// the mutex.
func (s *stage) begin(ctx context.Context, op, key string) error {
	if err := begin(ctx, key); err != nil {
		return err
	}
	return s.fail(op, key, s.over())
}

// over tells why the stage takes nothing more.
func (s *stage) over() error {
	switch {
	case s.l.isLost():
		return bucket.ErrFenced
	case s.ended && s.cause != nil:
		return s.cause
	case s.ended:
		return errEnded
	}
	return nil
}

// Create implements bucket.Stage.
func (s *stage) Create(ctx context.Context, key string) (bucket.Writer, error) {
	w, err := s.b.newWriter(ctx, s.l, path.Join(s.prefix, key))
	if cerr := begin(ctx, key); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, s.fail("write", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(ctx, "write", key); err != nil {
		return nil, err
	}
	if s.writers[key] != nil {
		return nil, s.fail("write", key, errOpen)
	}
	s.drop(key)
	w.ready = func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.over()
	}
	w.complete = func(c *content) error { return s.take(ctx, key, c) }
	w.gone = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.writers, key)
	}
	s.writers[key] = w
	return w, nil
}

// take makes an object of the stage.
func (s *stage) take(ctx context.Context, key string, c *content) error {
	if c.sp != nil && c.size >= s.b.o.large {
		up, err := s.b.upload(ctx, s.l, joined{{c.reader(), c.size}}, s.resume)
		if err != nil {
			return err
		}
		c.up = up
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.over()
	if err == nil && c.sp != nil && c.up == nil {
		err = s.gather(c)
	}
	if err != nil {
		c.up.end()
		return err
	}
	delete(s.writers, key)
	s.objects[key] = c
	return nil
}

// gather moves an object into the pool, so that many of them need one file; the
// caller holds the mutex.
func (s *stage) gather(c *content) error {
	if s.pool == nil {
		var err error
		if s.pool, err = s.b.newSpool(); err != nil {
			return err
		}
	}
	off := s.pool.size
	if _, err := io.Copy(s.pool, io.NewSectionReader(c.sp.f, 0, c.size)); err != nil {
		return err
	}
	c.sp.drop()
	c.sp, c.off = s.pool.hold(), off
	return nil
}

// drop forgets a complete object; whoever reads it goes on. The caller holds the
// mutex.
func (s *stage) drop(key string) {
	c := s.objects[key]
	if c == nil {
		return
	}
	c.up.end()
	c.sp.drop()
	delete(s.objects, key)
}

// Open implements bucket.Stage.
func (s *stage) Open(ctx context.Context, key string) (bucket.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(ctx, "open", key); err != nil {
		return nil, err
	}
	c := s.objects[key]
	if c == nil {
		return nil, s.fail("open", key, errAbsent)
	}
	return c.open(), nil
}

// Remove implements bucket.Stage.
func (s *stage) Remove(ctx context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(ctx, "remove", key); err != nil {
		return err
	}
	if s.writers[key] != nil {
		return s.fail("remove", key, errOpen)
	}
	s.drop(key)
	return nil
}

// Commit implements bucket.Stage. All pieces are in the chat before the index
// that names them; that one message is edited.
func (s *stage) Commit(ctx context.Context, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(ctx, "commit", s.marker); err != nil {
		return err
	}
	if len(s.writers) > 0 {
		return s.fail("commit", "", errOpen)
	}
	if err := s.commit(ctx, data); err != nil {
		return s.fail("commit", "", err)
	}
	s.end()
	return nil
}

// end closes the stage and gives up what it holds; the caller holds the mutex.
func (s *stage) end() {
	for key := range s.objects {
		s.drop(key)
	}
	s.pool.drop()
	s.pool, s.ended = nil, true
	s.b.leave(s)
}

func (s *stage) commit(ctx context.Context, data []byte) error {
	seen, err := s.b.look(ctx, true)
	if err != nil {
		return err
	}
	if seen.idx != nil && seen.idx.anything(s.prefix+"/") {
		return errTaken
	}
	// What a caller wrote at the marker's key is never shown.
	s.drop(s.marker)
	keys := slices.Sorted(maps.Keys(s.objects))
	var pooled []string
	var bytes joined
	for _, key := range keys {
		if c := s.objects[key]; c.up == nil && !seen.idx.fits(c.size) {
			pooled = append(pooled, key)
			bytes = append(bytes, segment{c.reader(), c.size})
		}
	}
	var up *upload
	if len(pooled) > 0 {
		if up, err = s.b.upload(ctx, s.l, bytes, s.resume); err != nil {
			return err
		}
		defer up.end()
	}
	return s.b.change(ctx, s.l, func(x *index) error { return s.show(x, data, keys, pooled, up) })
}

// show names all objects in an index.
func (s *stage) show(x *index, data []byte, keys, pooled []string, up *upload) error {
	if x.anything(s.prefix + "/") {
		return errTaken
	}
	now := s.b.o.Now().UTC()
	var name string
	var off, inline int64
	for _, key := range keys {
		c := s.objects[key]
		e := entry{Size: c.size, ModTime: now}
		var err error
		switch {
		case c.up != nil:
			e.Pack, err = c.up.place(x)
		case slices.Contains(pooled, key):
			if name == "" {
				name, err = up.place(x)
			}
			e.Pack, e.Offset = name, off
			off += c.size
		default:
			e.data = c.data
			inline += c.size
		}
		if err != nil {
			return err
		}
		x.Objects[path.Join(s.prefix, key)] = e
	}
	x.Objects[path.Join(s.prefix, s.marker)] = entry{Size: int64(len(data)), ModTime: now, data: slices.Clone(data)}
	if room := s.b.room(nil); x.inline() > room {
		return s.b.full(inline, room)
	}
	return nil
}

// Abort implements bucket.Stage. What was uploaded is freed. What a lost lease
// forbids to free is the business of whoever has the lease now.
func (s *stage) Abort(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	var messages []int
	for _, c := range s.objects {
		if c.up != nil {
			messages = append(messages, c.up.messages()...)
		}
	}
	open := slices.Collect(maps.Values(s.writers))
	s.end()
	s.mu.Unlock() // writers ask the stage
	for _, w := range open {
		_ = w.Discard() // it does not fail
	}
	s.mu.Lock()
	if len(messages) == 0 || s.l.isLost() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sideTime)
	defer cancel()
	err := s.b.forget(ctx, s.l, messages)
	if errors.Is(err, bucket.ErrFenced) {
		return nil
	}
	return s.fail("abort", "", err)
}

// forget gives up what was uploaded into messages that no object lies in.
func (b *Bucket) forget(ctx context.Context, l *lease, messages []int) error {
	err := b.change(ctx, l, func(x *index) error {
		for i, at := range x.Slots {
			if slices.Contains(messages, at.Message) {
				x.Slots[i] = slot{Message: at.Message, Sent: at.Sent, Full: true}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = b.free(ctx, l)
	return err
}
