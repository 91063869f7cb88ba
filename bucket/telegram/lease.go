package telegram

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast/bucket"
)

// sideTime is how long cleaning up may take when the work itself has ended.
const sideTime = 30 * time.Second

// lease is the right to write. Each change of the index renews it; where none is
// made, watch does.
type lease struct {
	b     *Bucket
	token string
	lost  chan struct{}
	stop  context.CancelFunc // ends watch
	done  chan struct{}      // watch has ended

	mu       sync.Mutex
	sent     time.Time // of the last renewal, monotonic
	sentWall time.Time
	dead     bool // lost or given back
	released bool

	once sync.Once
	err  error // of Release
}

func newLease(b *Bucket, token string, sent, wall time.Time) *lease {
	ctx, stop := context.WithCancel(context.Background())
	l := &lease{b: b, token: token, lost: make(chan struct{}), stop: stop, done: make(chan struct{}), sent: sent, sentWall: wall}
	go l.watch(ctx)
	return l
}

// holder gives the lease under which this bucket writes; nil if it never took
// one or gave it back.
func (b *Bucket) holder() *lease {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lease
}

// active tells whether changes depend on this lease: what was begun under one
// that was given back goes on like what was begun without one.
func (l *lease) active() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.released
}

// valid tells whether nobody else can have the lease.
func (l *lease) valid() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.dead && l.remaining() > 0
}

// remaining is the time of the lease, by both clocks: one stands still while some
// machines sleep, the other can be set. The caller holds the mutex.
func (l *lease) remaining() time.Duration {
	ttl := l.b.o.LeaseTTL
	return min(ttl-time.Since(l.sent), ttl-l.b.o.Now().Sub(l.sentWall))
}

// isLost tells whether the lease is gone for good. No lease cannot be lost.
func (l *lease) isLost() bool {
	if l == nil {
		return false
	}
	select {
	case <-l.lost:
		return true
	default:
		return false
	}
}

func (l *lease) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		l.dead = true
		close(l.lost)
	}
}

// stillIn looks for the lease in the index that is about to be replaced.
func (l *lease) stillIn(x *index) error {
	if !l.active() || x != nil && x.Lease != nil && x.Lease.Token == l.token {
		return nil
	}
	l.lose()
	return bucket.ErrFenced
}

// mark renews the lease in an index.
func (l *lease) mark(x *index, now time.Time) {
	if l.active() && x.Lease != nil && x.Lease.Token == l.token {
		x.Lease.Renewed = now
	}
}

// extend counts the time of the lease from sent.
func (l *lease) extend(sent, wall time.Time) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent, l.sentWall = sent, wall
}

// check looks in the chat whether the lease is still ours. It is asked before
// what no change of the index guards: filling and freeing messages.
func (l *lease) check(ctx context.Context) error {
	if l.isLost() {
		return bucket.ErrFenced
	}
	if !l.active() {
		return nil
	}
	s, err := l.b.look(ctx, true)
	if err == nil {
		err = l.stillIn(s.idx)
	}
	if err == nil && !l.valid() {
		err = l.renew(ctx)
	}
	return err
}

func (l *lease) renew(ctx context.Context) error {
	return l.b.change(ctx, l, func(*index) error { return nil })
}

// watch renews the lease in time, and tells when it is lost.
func (l *lease) watch(ctx context.Context) {
	defer close(l.done)
	ttl := l.b.o.LeaseTTL
	for {
		l.mu.Lock()
		wait := max(l.remaining()-ttl*2/3, ttl/20)
		l.mu.Unlock()
		if pause(ctx, wait) != nil {
			return
		}
		l.mu.Lock()
		early, late := l.remaining() > ttl*2/3, l.remaining() <= 0
		l.mu.Unlock()
		if early {
			continue
		}
		within, cancel := context.WithTimeout(ctx, max(ttl/3, time.Second))
		err := l.renew(within)
		cancel()
		if l.isLost() || ctx.Err() != nil {
			return
		}
		if err != nil && late {
			l.lose()
			return
		}
	}
}

// Lost implements bucket.Lease.
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Release implements bucket.Lease.
func (l *lease) Release() error {
	l.once.Do(func() {
		l.stop()
		<-l.done
		l.err = l.b.fail("unlock", "", l.end())
	})
	return l.err
}

func (l *lease) end() error {
	if l.isLost() {
		return nil // it is somebody else's
	}
	ctx, cancel := context.WithTimeout(context.Background(), sideTime)
	defer cancel()
	err := l.b.change(ctx, l, func(x *index) error {
		x.Lease = nil
		return nil
	})
	if errors.Is(err, bucket.ErrFenced) {
		return nil
	}
	l.mu.Lock()
	l.dead, l.released = true, true
	l.mu.Unlock()
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	if l.b.lease == l {
		l.b.lease = nil
	}
	return err
}
