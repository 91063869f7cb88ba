package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// leaseDoc is the lease as it lies in the bucket. Each renewal counts up, so
// that no two versions are equal and none has the ETag of another.
type leaseDoc struct {
	Owner      holdfast.Owner `json:"owner"`
	Token      string         `json:"token"`
	Generation int64          `json:"generation"` // counts owners
	Renewal    int64          `json:"renewal"`
	TTL        float64        `json:"ttl_seconds"`
	Ended      bool           `json:"ended,omitempty"`
}

func (d leaseDoc) ttl() time.Duration { return time.Duration(d.TTL * float64(time.Second)) }

// lease is the right to write. It lasts for the TTL from when the last renewal
// that succeeded was sent, by the monotonic clock and by the wall clock: the
// first stands still while some machines sleep, the second can be set. Beyond
// that nothing is changed any more before a renewal has succeeded, which it
// does only if nobody has taken the lease meanwhile: the service compares.
type lease struct {
	b    *Bucket
	none bool // lease=none: nothing is looked at
	ttl  time.Duration

	lost chan struct{}
	stop context.CancelFunc // ends watch
	done chan struct{}      // watch has ended

	renewing sync.Mutex // one renewal at a time; guards doc
	doc      leaseDoc

	mu       sync.Mutex
	etag     string
	sent     time.Time // monotonic
	sentWall time.Time
	dead     bool // lost or given back
	released bool
	alive    context.Context // ends with the time of the lease
	suspend  context.CancelCauseFunc
	expiry   *time.Timer

	once sync.Once
	err  error // of Release
}

// newLease begins to hold what was written at sent.
func (b *Bucket) newLease(doc leaseDoc, etag string, sent, sentWall time.Time) *lease {
	ctx, stop := context.WithCancel(context.Background())
	l := &lease{b: b, ttl: doc.ttl(), doc: doc, lost: make(chan struct{}), stop: stop, done: make(chan struct{})}
	l.extend(etag, sent, sentWall)
	go l.watch(ctx)
	return l
}

// extend counts the time of the lease from sent.
func (l *lease) extend(etag string, sent, sentWall time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.etag, l.sent, l.sentWall = etag, sent, sentWall
	if l.alive == nil || l.alive.Err() != nil {
		l.alive, l.suspend = context.WithCancelCause(context.Background())
	}
	if l.expiry != nil {
		l.expiry.Stop()
	}
	l.expiry = time.AfterFunc(time.Until(sent.Add(l.ttl)), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.remaining() <= 0 {
			l.suspend(bucket.ErrFenced)
		}
	})
}

// remaining is the time for which nobody else can have the lease; the caller
// holds the mutex.
func (l *lease) remaining() time.Duration {
	return min(l.ttl-time.Since(l.sent), l.ttl-l.b.o.Now().Sub(l.sentWall))
}

// valid tells whether the lease is ours beyond doubt.
func (l *lease) valid() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.dead && l.remaining() > 0
}

// isLost tells whether the lease is gone for good. No lease cannot be lost.
func (l *lease) isLost() bool {
	if l == nil || l.none {
		return false
	}
	select {
	case <-l.lost:
		return true
	default:
		return false
	}
}

// wasReleased tells whether the lease was given back: what was begun under it
// goes on like what was begun without one.
func (l *lease) wasReleased() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.released
}

// lose ends the lease for good.
func (l *lease) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return
	}
	l.dead = true
	l.suspend(bucket.ErrFenced)
	close(l.lost)
}

// guard gives a context for one request that changes something. It ends when
// the lease does. A lease whose time is over, because this process was paused or
// a clock was set, is renewed first or lost.
func (l *lease) guard(ctx context.Context) (context.Context, func(), error) {
	if l == nil || l.none || l.wasReleased() {
		return ctx, func() {}, nil
	}
	if !l.valid() && !l.isLost() {
		if err := l.renew(ctx); err != nil && !l.isLost() {
			return nil, nil, fmt.Errorf("the lease cannot be renewed: %w", err)
		}
	}
	if l.isLost() {
		return nil, nil, bucket.ErrFenced
	}
	l.mu.Lock()
	alive := l.alive
	l.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(alive, func() { cancel(bucket.ErrFenced) })
	return ctx, func() { stop(); cancel(nil) }, nil
}

// renew writes the lease anew, provided that nobody else has. Somebody else's
// is the loss of ours.
func (l *lease) renew(ctx context.Context) error {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	if l.isLost() {
		return bucket.ErrFenced
	}
	l.mu.Lock()
	left := l.remaining()
	l.mu.Unlock()
	limit := l.ttl / 3
	if left > 0 {
		limit = min(limit, left)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return l.write(ctx)
}

// write puts the lease in place of its last version; the caller holds renewing.
func (l *lease) write(ctx context.Context) error {
	l.mu.Lock()
	etag := l.etag
	l.mu.Unlock()
	for range 2 {
		l.doc.Renewal++
		data, err := json.Marshal(l.doc)
		if err != nil {
			return err
		}
		sent, sentWall := time.Now(), l.b.o.Now().Round(0)
		var o minio.PutObjectOptions
		o.SetMatchETag(etag)
		now, err := l.b.put(ctx, leaseKey, data, o)
		if err == nil {
			l.extend(now, sent, sentWall)
			return nil
		}
		if !conditionFailed(err) && !absent(err) {
			return err
		}
		// It may be ours: of an attempt whose answer was lost.
		doc, f, _, err := l.b.readLease(ctx)
		switch {
		case errors.Is(err, errAbsent), err == nil && doc.Token != l.doc.Token:
			l.lose()
			return bucket.ErrFenced
		case err != nil:
			return err
		}
		etag = f.etag
	}
	return errCondition
}

// watch renews the lease in time, and tells when it is lost.
func (l *lease) watch(ctx context.Context) {
	defer close(l.done)
	wait := l.ttl / 3
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		late := !l.valid()
		err := l.renew(ctx)
		switch {
		case l.isLost() || ctx.Err() != nil:
			return
		case err == nil:
			wait = l.ttl / 3
		case late || !l.valid():
			l.lose()
			return
		default:
			wait = max(l.ttl/20, time.Millisecond)
		}
	}
}

// token is the name of this lease among all.
func (l *lease) token() string {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	return l.doc.Token
}

func (l *lease) owner() holdfast.Owner {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	return l.doc.Owner
}

// Lost implements bucket.Lease.
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Release implements bucket.Lease. The lease is not deleted but written as
// ended: that can be made conditional everywhere.
func (l *lease) Release() error {
	l.once.Do(func() {
		if l.none {
			return
		}
		l.stop()
		<-l.done
		l.err = l.b.fail("unlock", "", l.end())
	})
	return l.err
}

func (l *lease) end() error {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	if l.isLost() {
		return nil // it is somebody else's
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(sideTime, l.ttl))
	defer cancel()
	l.doc.Ended = true
	err := l.b.retry(ctx, 0, l.write)
	if l.isLost() {
		return nil
	}
	l.mu.Lock()
	l.dead, l.released = true, true
	l.suspend(errEnded)
	l.expiry.Stop()
	l.mu.Unlock()
	l.b.released(l)
	return err
}
