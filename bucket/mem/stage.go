package mem

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

var (
	errNegative = errors.New("negative offset or length")
	errEnded    = fmt.Errorf("the stage has ended: %w", fs.ErrClosed)
	errClosed   = fmt.Errorf("the object is complete: %w", fs.ErrClosed)
	errOpen     = errors.New("an object is still being written")
)

// stage is a tree that nobody sees until Commit. The bucket's mutex guards it.
type stage struct {
	b       *Bucket
	prefix  string
	marker  string
	objects map[string]object  // complete, by key below prefix
	writers map[string]*writer // being written
	ended   bool
}

// Stage implements bucket.Bucket.
func (b *Bucket) Stage(ctx context.Context, prefix string, o bucket.StageOptions) (bucket.Stage, error) {
	if err := bucket.CheckKey(o.Marker); err != nil {
		return nil, err
	}
	if err := b.beginKey(ctx, "stage", prefix); err != nil {
		return nil, err
	}
	s := &stage{b: b, prefix: prefix, marker: o.Marker, objects: map[string]object{}, writers: map[string]*writer{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stages[s] = true
	return s, nil
}

// end forgets everything; the caller holds the bucket's mutex.
func (s *stage) end() {
	s.ended, s.objects = true, nil
	delete(s.b.stages, s)
}

func (s *stage) begin(ctx context.Context, op, key string) error {
	if err := s.b.beginKey(ctx, op, key); err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.ended {
		return s.fail(op, key, errEnded)
	}
	return nil
}

func (s *stage) fail(op, key string, err error) error {
	return &holdfast.Error{Op: op, Object: path.Join(s.prefix, key), Err: err}
}

// Create implements bucket.Stage.
func (s *stage) Create(ctx context.Context, key string) (bucket.Writer, error) {
	if err := s.begin(ctx, "create", key); err != nil {
		return nil, err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.writers[key] != nil {
		return nil, s.fail("create", key, errOpen)
	}
	delete(s.objects, key)
	w := &writer{s: s, ctx: ctx, key: key, blob: &blob{}}
	s.writers[key] = w
	return w, nil
}

// Open implements bucket.Stage.
func (s *stage) Open(ctx context.Context, key string) (bucket.Object, error) {
	if err := s.begin(ctx, "open", key); err != nil {
		return nil, err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return nil, absent("open", path.Join(s.prefix, key))
	}
	return reader{o.blob}, nil
}

// Remove implements bucket.Stage.
func (s *stage) Remove(ctx context.Context, key string) error {
	if err := s.begin(ctx, "remove", key); err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	delete(s.objects, key)
	return nil
}

// Commit implements bucket.Stage.
func (s *stage) Commit(ctx context.Context, data []byte) error {
	if err := s.begin(ctx, "commit", s.marker); err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if len(s.writers) > 0 {
		return s.fail("commit", "", errOpen)
	}
	for key := range s.b.objects {
		if strings.HasPrefix(key, s.prefix+"/") {
			return exists("commit", s.prefix)
		}
	}
	s.objects[s.marker] = object{newBlob(append([]byte(nil), data...)), time.Now()}
	for key, o := range s.objects {
		s.b.objects[s.prefix+"/"+key] = o
	}
	s.end()
	return nil
}

// Abort implements bucket.Stage.
func (s *stage) Abort(context.Context) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.end()
	return nil
}

// writer collects one object of a stage.
type writer struct {
	s    *stage
	ctx  context.Context
	key  string
	blob *blob
	done bool
}

// ready looks whether the writer can still take something.
func (w *writer) ready() error {
	if w.done {
		return w.s.fail("write", w.key, errClosed)
	}
	return w.s.begin(w.ctx, "write", w.key)
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
		return w.s.fail("write", w.key, errNegative)
	}
	w.blob.size += n
	return nil
}

// Close implements bucket.Writer.
func (w *writer) Close() error {
	if err := w.ready(); err != nil {
		return err
	}
	w.s.b.mu.Lock()
	defer w.s.b.mu.Unlock()
	w.done = true
	delete(w.s.writers, w.key)
	w.s.objects[w.key] = object{w.blob, time.Now()}
	return nil
}

// Discard implements bucket.Writer.
func (w *writer) Discard() error {
	w.s.b.mu.Lock()
	defer w.s.b.mu.Unlock()
	if !w.done {
		w.done = true
		delete(w.s.writers, w.key)
	}
	return nil
}
