package s3

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// Commit implements bucket.Stage. All objects are durable since their writers
// were closed. One conditional request makes the tree whole.
func (s *stage) Commit(ctx context.Context, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(ctx, "commit", s.marker); err != nil {
		return err
	}
	if len(s.writers) > 0 {
		return s.fail("commit", "", errOpen)
	}
	if s.taken {
		return s.fail("commit", "", errTaken)
	}
	if err := s.inspect(ctx); err != nil {
		if f, herr := s.b.head(ctx, path.Join(s.prefix, s.marker)); errors.Is(herr, errAbsent) || herr == nil && f.etag != s.etag {
			err = s.superseded(ctx) // which says more
		}
		return s.fail("commit", "", err)
	}
	_, err := s.b.putSmall(ctx, s.l, path.Join(s.prefix, s.marker), data, condition{etag: s.etag}, s.b.kept())
	if errors.Is(err, errCondition) {
		err = s.superseded(ctx)
	}
	if err != nil {
		return s.fail("commit", "", err)
	}
	s.ended = true
	s.release()
	// The tree is whole and durable. Its entry only costs readers a look; Clean
	// removes what stays.
	_ = s.b.remove(ctx, s.l, entryKey(s.prefix))
	s.scrap(ctx)
	return nil
}

// superseded says why the reservation is not what it was. Whoever took it has
// the lease: a renewal finds that out, and Lost tells it.
func (s *stage) superseded(ctx context.Context) error {
	if s.l != nil && !s.l.none && !s.l.wasReleased() {
		_ = s.l.renew(ctx)
	}
	whole, _, err := s.b.isWhole(ctx, s.prefix, s.marker)
	switch {
	case err != nil:
		return err
	case whole:
		return errTaken
	}
	return bucket.ErrFenced
}

// inspect compares what lies below the prefix with what this stage wrote. What
// the listing tells otherwise is asked for one by one: listings may be late.
func (s *stage) inspect(ctx context.Context) error {
	listed := map[string]bool{}
	for f, err := range s.b.raw(ctx, s.prefix+"/", false) {
		if err != nil {
			return err
		}
		key := f.key[len(s.prefix)+1:]
		if key == s.marker {
			continue
		}
		listed[key] = true
		if mine, ok := s.objects[key]; ok && mine.size == f.info.Size && mine.etag == f.etag {
			continue
		}
		if err := s.confirm(ctx, key); err != nil {
			return err
		}
	}
	for key := range s.objects {
		if key != s.marker && !listed[key] {
			if err := s.confirm(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// confirm asks for one object itself.
func (s *stage) confirm(ctx context.Context, key string) error {
	f, err := s.b.head(ctx, path.Join(s.prefix, key))
	mine, ok := s.objects[key]
	gone := errors.Is(err, errAbsent)
	switch {
	case err != nil && !gone:
		return err
	case !ok && !gone:
		return fmt.Errorf("%s is there and not of this stage: %w", key, errTaken)
	case ok && gone:
		return holdfast.Kindf(holdfast.ErrDamaged, "%s was removed by somebody else", key)
	case ok && (mine.size != f.size || mine.etag != f.etag):
		return holdfast.Kindf(holdfast.ErrDamaged, "%s was replaced by somebody else", key)
	}
	return nil
}
