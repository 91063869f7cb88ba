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

// keepResumable is how long a stage that can be resumed waits for that.
const keepResumable = 7 * 24 * time.Hour

// stage is a tree that nobody sees until Commit. The bucket's mutex guards it.
type stage struct {
	b       *Bucket
	l       *lease // under which it began
	prefix  string
	marker  string
	resume  bool
	begun   time.Time
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
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.taken.fenced("stage", prefix); err != nil {
		return nil, err
	}
	s := &stage{
		b: b, l: b.taken, prefix: prefix, marker: o.Marker, resume: o.Resume, begun: time.Now(),
		objects: map[string]object{}, writers: map[string]*writer{},
	}
	for old := range b.stages {
		if s.resume && old.resume && old.prefix == prefix {
			s.objects = old.objects
			old.end()
		}
	}
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
	return s.open(op, key)
}

// open tells why the stage takes nothing more; the caller holds the bucket's
// mutex.
func (s *stage) open(op, key string) error {
	if err := s.l.fenced(op, path.Join(s.prefix, key)); err != nil {
		return err
	}
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
	w := &writer{b: s.b, l: s.l, ctx: ctx, key: path.Join(s.prefix, key), blob: &blob{}}
	w.stage = func() error { return s.open("write", key) }
	w.end = func(o *object) {
		delete(s.writers, key)
		if o != nil {
			s.objects[key] = *o
		}
	}
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
