package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"path"
	"sync"

	"github.com/holdfast-backup/holdfast/bucket"
)

// stage is a tree whose objects lie at their final keys already, but whose
// marker's key is only reserved. A stage that cannot have its prefix, because
// something is there or another stage has it, writes to scratch and is refused
// at Commit.
type stage struct {
	b      *Bucket
	l      *lease // under which it began
	prefix string
	marker string
	token  string
	resume bool
	taken  bool   // the prefix is somebody else's
	etag   string // of the reservation

	mu      sync.Mutex
	objects map[string]facts   // complete, by key below prefix
	writers map[string]*writer // being written
	ended   bool
	cause   error // why, if somebody else ended it
}

// Stage implements bucket.Bucket.
func (b *Bucket) Stage(ctx context.Context, prefix string, o bucket.StageOptions) (bucket.Stage, error) {
	if err := bucket.CheckKey(o.Marker); err != nil {
		return nil, err
	}
	if err := b.begin(ctx, prefix); err != nil {
		return nil, err
	}
	s := &stage{
		b: b, l: b.holder(), prefix: prefix, marker: o.Marker, token: rand.Text(), resume: o.Resume,
		objects: map[string]facts{}, writers: map[string]*writer{},
	}
	if s.l.isLost() {
		return nil, b.fail("stage", prefix, bucket.ErrFenced)
	}
	if err := s.claim(ctx); err != nil {
		return nil, b.fail("stage", prefix, err)
	}
	return s, nil
}

// claim makes the prefix this stage's: the entry first, then the reservation.
func (s *stage) claim(ctx context.Context) error {
	e := entry{Kind: kindStage, Prefix: s.prefix, Marker: s.marker, Token: s.token, Resume: s.resume}
	at := entryKey(s.prefix)
	old, f, err := s.b.readEntry(ctx, at)
	c := condition{absent: true}
	switch {
	case err == nil:
		adopt, cerr := s.succeed(ctx, old)
		if cerr != nil || s.taken {
			return cerr
		}
		if adopt {
			c = condition{etag: f.etag}
		}
	case !errors.Is(err, errAbsent):
		return err
	default:
		if taken, err := s.b.anything(ctx, s.prefix+"/"); err != nil || taken {
			s.taken = taken
			return err
		}
	}
	switch _, err := s.b.writeEntry(ctx, s.l, e, c); {
	case errors.Is(err, errCondition):
		s.taken = true // another began in this moment
		return nil
	case err != nil:
		return err
	}
	if err := s.reserve(ctx, e); err != nil {
		return err
	}
	if s.taken {
		return s.b.remove(ctx, s.l, at)
	}
	s.b.mu.Lock()
	s.b.staged[s.prefix] = s
	s.b.mu.Unlock()
	return nil
}

// reserve puts the reservation, in place of that of the stage before.
func (s *stage) reserve(ctx context.Context, e entry) error {
	whole, f, err := s.b.isWhole(ctx, s.prefix, s.marker)
	if err != nil || whole {
		s.taken = whole
		return err
	}
	c := condition{absent: f.etag == "", etag: f.etag}
	s.etag, err = s.b.reserve(ctx, s.l, e, c)
	if errors.Is(err, errCondition) {
		s.taken, err = true, nil
	}
	return err
}

// succeed decides about what an older entry of the prefix stands for. It tells
// whether this stage goes on with its objects; if not, and the prefix is not
// taken, it has removed them.
func (s *stage) succeed(ctx context.Context, old entry) (adopt bool, err error) {
	whole, _, err := s.b.isWhole(ctx, old.Prefix, old.Marker)
	if err != nil || whole {
		s.taken = whole
		return false, err
	}
	s.b.mu.Lock()
	running := s.b.staged[s.prefix]
	s.b.mu.Unlock()
	switch {
	case old.Kind == kindRemoval: // decided and begun: it only has to end
	case old.Resume && s.resume && old.Marker == s.marker:
		if running != nil {
			running.end(errors.New("another stage goes on with it"))
		}
		return true, s.adopt(ctx)
	case running != nil, s.l == nil && !s.b.o.NoLease:
		s.taken = true // it may be written to at this moment
		return false, nil
	}
	return false, s.b.clear(ctx, s.l, old, nil)
}

// adopt takes over the complete objects of the stage before.
func (s *stage) adopt(ctx context.Context) error {
	for f, err := range s.b.raw(ctx, s.prefix+"/", false) {
		if err != nil {
			return err
		}
		if key := f.key[len(s.prefix)+1:]; key != s.marker {
			s.objects[key] = facts{size: f.info.Size, etag: f.etag}
		}
	}
	return nil
}

// anything tells whether an object lies below prefix, hidden or not.
func (b *Bucket) anything(ctx context.Context, prefix string) (bool, error) {
	for _, err := range b.raw(ctx, prefix, false) {
		return err == nil, err
	}
	return false, nil
}

// where gives the place of an object of the stage. What a caller writes at the
// marker's key is never shown: Commit writes the marker.
func (s *stage) where(key string) string {
	if s.taken || key == s.marker {
		return scratchDir + path.Join(s.token, key)
	}
	return path.Join(s.prefix, key)
}

func (s *stage) fail(op, key string, err error) error {
	return s.b.fail(op, path.Join(s.prefix, key), err)
}

// begin looks at what can stop an operation before it starts; the caller holds
// the mutex.
func (s *stage) begin(ctx context.Context, op, key string) error {
	if err := bucket.CheckKey(key); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.l.isLost():
		return s.fail(op, key, bucket.ErrFenced)
	case s.ended && s.cause != nil:
		return s.fail(op, key, s.cause)
	case s.ended:
		return s.fail(op, key, errEnded)
	}
	return nil
}

// Create implements bucket.Stage.
func (s *stage) Create(ctx context.Context, key string) (bucket.Writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(ctx, "write", key); err != nil {
		return nil, err
	}
	if s.writers[key] != nil {
		return nil, s.fail("write", key, errOpen)
	}
	if err := s.drop(ctx, key); err != nil {
		return nil, s.fail("write", key, err)
	}
	w := s.b.newWriter(ctx, s.l, s.where(key), path.Join(s.prefix, key))
	w.ended = func(f facts, complete bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.writers, key)
		if complete {
			s.objects[key] = f
		}
	}
	s.writers[key] = w
	return w, nil
}

// drop removes a complete object; whoever reads it goes on with a copy. The
// caller holds the mutex.
func (s *stage) drop(ctx context.Context, key string) error {
	if _, ok := s.objects[key]; !ok {
		return nil
	}
	if err := s.b.aside(ctx, s.l, s.where(key)); err != nil {
		return err
	}
	if err := s.b.remove(ctx, s.l, s.where(key)); err != nil {
		return err
	}
	delete(s.objects, key)
	return nil
}

// Open implements bucket.Stage.
func (s *stage) Open(ctx context.Context, key string) (bucket.Object, error) {
	s.mu.Lock()
	err := s.begin(ctx, "open", key)
	_, complete := s.objects[key]
	if err == nil && !complete {
		err = s.fail("open", key, errNotReady)
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	o, err := s.b.open(ctx, s.where(key))
	if err != nil {
		return nil, s.fail("open", key, err)
	}
	return o, nil
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
	return s.fail("remove", key, s.drop(ctx, key))
}

// end makes the stage's operations fail, because of somebody else.
func (s *stage) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.cause = true, cause
	for _, w := range s.writers {
		w.cancel(cause)
	}
	s.release()
}

// release gives the prefix free in this process; the caller holds the mutex.
func (s *stage) release() {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.b.staged[s.prefix] == s {
		delete(s.b.staged, s.prefix)
	}
}

// scrap removes what the stage has in scratch. Clean removes what stays.
func (s *stage) scrap(ctx context.Context) {
	for key := range s.objects {
		if at := s.where(key); at != path.Join(s.prefix, key) {
			_ = s.b.remove(ctx, s.l, at)
		}
	}
}

// Abort implements bucket.Stage. What a lost lease forbids to remove is the
// business of whoever has the lease now.
func (s *stage) Abort(ctx context.Context) error {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return nil
	}
	s.ended = true
	var open []*writer
	for _, w := range s.writers {
		w.cancel(errEnded)
		open = append(open, w)
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sideTime)
	defer cancel()
	for _, w := range open {
		w.giveUp(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scrap(ctx)
	if s.taken || s.l.isLost() {
		return nil
	}
	e := entry{Kind: kindStage, Prefix: s.prefix, Marker: s.marker, Token: s.token}
	mine, err := s.stillOwner(ctx)
	if err == nil && mine {
		err = s.b.clear(ctx, s.l, e, s.objects)
	}
	s.release()
	if s.l.isLost() {
		return nil
	}
	return s.fail("abort", "", err)
}

// stillOwner tells whether the prefix is still this stage's.
func (s *stage) stillOwner(ctx context.Context) (bool, error) {
	e, _, err := s.b.readEntry(ctx, entryKey(s.prefix))
	if errors.Is(err, errAbsent) {
		return false, nil
	}
	return err == nil && e.Token == s.token, err
}
