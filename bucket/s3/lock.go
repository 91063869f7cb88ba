package s3

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// coarse is how much the times of two answers may be off: they have whole
// seconds, rounded down.
const coarse = 2 * time.Second

// observation is when somebody else's lease was first seen as it is.
type observation struct {
	etag string
	at   time.Time // monotonic
}

// holder gives the lease under which this bucket writes; nil if it never took
// one or gave it back.
func (b *Bucket) holder() *lease {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lease
}

func (b *Bucket) released(l *lease) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lease == l {
		b.lease = nil
	}
}

// Lock implements bucket.Bucket.
func (b *Bucket) Lock(ctx context.Context, owner holdfast.Owner) (bucket.Lease, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if b.o.NoLease {
		return &lease{b: b, none: true, lost: make(chan struct{})}, nil
	}
	l, err := b.lock(ctx, owner)
	if err != nil {
		return nil, b.fail("lock", "", err)
	}
	return l, nil
}

func (b *Bucket) lock(ctx context.Context, owner holdfast.Owner) (*lease, error) {
	doc := leaseDoc{Owner: owner, Token: rand.Text(), TTL: b.o.LeaseTTL.Seconds()}
	// Whoever is faster is seen on the next look.
	for range 3 {
		theirs, f, answer, err := b.readLease(ctx)
		var c condition
		switch {
		case errors.Is(err, errAbsent):
			c.absent = true
		case err != nil:
			return nil, err
		default:
			if left := b.timeLeft(theirs, f, answer); left > 0 {
				return nil, b.locked(theirs, left)
			}
			c.etag, doc.Generation = f.etag, theirs.Generation
		}
		doc.Generation++
		data, err := json.Marshal(doc)
		if err != nil {
			return nil, err
		}
		sent, sentWall := time.Now(), b.o.Now().Round(0)
		etag, err := b.putSmall(ctx, nil, leaseKey, data, c, minio.PutObjectOptions{})
		if errors.Is(err, errCondition) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := b.compares(ctx, data); err != nil {
			return nil, err
		}
		l := b.newLease(doc, etag, sent, sentWall)
		if err := b.fence(ctx, l); err != nil {
			return nil, errors.Join(err, l.Release())
		}
		b.mu.Lock()
		b.lease = l
		b.mu.Unlock()
		return l, nil
	}
	return nil, errors.New("others keep taking the lease and giving it back")
}

// readLease gives the lease in the bucket. One that cannot be read is somebody's:
// it counts until its time is over.
func (b *Bucket) readLease(ctx context.Context) (leaseDoc, facts, http.Header, error) {
	data, f, header, err := b.small(ctx, leaseKey)
	if err != nil {
		return leaseDoc{}, facts{}, nil, err
	}
	var doc leaseDoc
	if json.Unmarshal(data, &doc) != nil || doc.TTL <= 0 || doc.TTL > math.MaxInt32 {
		doc = leaseDoc{TTL: b.o.LeaseTTL.Seconds()}
	}
	return doc, f, header, nil
}

// timeLeft tells for how long somebody's lease still counts, as far as can be
// proven without trusting any clock but the service's own, or the monotonic one
// here since the lease was first seen unchanged.
func (b *Bucket) timeLeft(doc leaseDoc, f facts, answer http.Header) time.Duration {
	if doc.Ended {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen.etag != f.etag {
		b.seen = observation{f.etag, time.Now()}
	}
	left := doc.ttl() - time.Since(b.seen.at)
	if now, err := parseDate(answer); err == nil && !f.modified.IsZero() {
		left = min(left, doc.ttl()+coarse-now.Sub(f.modified))
	}
	return left
}

func (b *Bucket) locked(doc leaseDoc, left time.Duration) error {
	wait := left.Round(time.Second)
	return &holdfast.Error{
		Op:   "lock",
		Err:  &holdfast.LockedError{Object: b.o.name(), Owner: doc.Owner},
		Hint: fmt.Sprintf("if it is dead, its lease runs out in %s at most", max(wait, time.Second)),
	}
}

// compares proves, with the lease that was just taken, that the service heeds
// conditions. One that does not would let two writers in.
func (b *Bucket) compares(ctx context.Context, data []byte) error {
	b.mu.Lock()
	proven := b.proven
	b.mu.Unlock()
	if proven {
		return nil
	}
	for _, header := range []string{"If-None-Match", "If-Match"} {
		var o minio.PutObjectOptions
		if header == "If-None-Match" {
			o.SetMatchETagExcept("*")
		} else {
			o.SetMatchETag("00000000000000000000000000000000")
		}
		err := b.retry(ctx, int64(len(data)), func(ctx context.Context) error {
			_, err := b.put(ctx, leaseKey, data, o)
			return err
		})
		switch {
		case conditionFailed(err):
			continue
		case err == nil, status(err) == http.StatusNotImplemented, code(err) == "NotImplemented":
			rerr := b.remove(ctx, nil, leaseKey)
			return errors.Join(&holdfast.Error{
				Op: "lock", Object: b.o.name(),
				Err:  holdfast.Kindf(holdfast.ErrRefused, "the service does not heed %s, so it cannot keep two writers apart", header),
				Hint: "use a service with conditional writes; or, if nobody else ever writes here, add lease=none to the URL",
			}, rerr)
		default:
			return err
		}
	}
	b.mu.Lock()
	b.proven = true
	b.mu.Unlock()
	return nil
}
