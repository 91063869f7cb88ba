package telegram

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// skew is how much the clocks of two machines may differ.
const skew = time.Minute

// leaseDoc is the lease as it stands in the index.
type leaseDoc struct {
	Owner   holdfast.Owner `json:"owner"`
	Token   string         `json:"token"`
	TTL     float64        `json:"ttl_seconds"`
	Renewed time.Time      `json:"renewed"`
	// Space names the machine, as long as it runs, and the processes that its
	// numbers mean: there a dead owner is known at once.
	Space   string `json:"space,omitempty"`
	Process int    `json:"process,omitempty"`
}

func (d *leaseDoc) ttl() time.Duration { return time.Duration(d.TTL * float64(time.Second)) }

// observation is when somebody else's lease was first seen as it is.
type observation struct {
	token   string
	renewed time.Time
	at      time.Time // monotonic
}

// Lock implements bucket.Bucket. The chat cannot compare before it writes, so
// the lease is written, and read again a moment later: of two that took it at
// once the later stays. Every change looks again.
func (b *Bucket) Lock(ctx context.Context, owner holdfast.Owner) (bucket.Lease, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	l, err := b.lock(ctx, owner)
	if err != nil {
		return nil, b.fail("lock", "", err)
	}
	return l, nil
}

func (b *Bucket) lock(ctx context.Context, owner holdfast.Owner) (*lease, error) {
	release, err := take(ctx, b.asking)
	if err != nil {
		return nil, err
	}
	defer release()
	s, err := b.see(ctx, true)
	if err != nil {
		return nil, err
	}
	if left := b.timeLeft(s); left > 0 {
		return nil, b.locked(s.idx.Lease, left)
	}
	doc := leaseDoc{Owner: owner, Token: rand.Text(), TTL: b.o.LeaseTTL.Seconds(), Space: space(), Process: os.Getpid()}
	before, wall := time.Now(), b.o.Now().UTC()
	err = b.changeSeen(ctx, nil, func(x *index) error {
		doc.Renewed = wall
		x.Lease = &doc
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, b.o.Settle); err != nil {
		return nil, err
	}
	if s, err = b.see(ctx, true); err != nil {
		return nil, err
	}
	if s.idx == nil || s.idx.Lease == nil || s.idx.Lease.Token != doc.Token {
		if left := b.timeLeft(s); left > 0 {
			return nil, b.locked(s.idx.Lease, left)
		}
		return nil, holdfast.Kindf(holdfast.ErrLocked, "somebody else took the lease at the same moment")
	}
	l := newLease(b, doc.Token, before, wall)
	b.mu.Lock()
	b.lease = l
	b.mu.Unlock()
	return l, nil
}

// pause waits a moment.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// timeLeft tells for how long a lease that was seen still counts: since it was
// first seen here as it is, by the monotonic clock; or since Telegram took it, by
// the clocks of Telegram and of this machine.
func (b *Bucket) timeLeft(s *seen) time.Duration {
	if s.idx == nil || s.idx.Lease == nil {
		return 0
	}
	d := s.idx.Lease
	if d.dead() {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watched.token != d.Token || !b.watched.renewed.Equal(d.Renewed) {
		b.watched = observation{d.Token, d.Renewed, time.Now()}
	}
	left := d.ttl() - time.Since(b.watched.at)
	if !s.stamp.IsZero() {
		left = min(left, d.ttl()+skew-b.o.Now().Sub(s.stamp))
	}
	return left
}

// dead tells whether the owner was a process of this machine that is no more.
func (d *leaseDoc) dead() bool {
	if d.Space == "" || d.Space != space() || d.Process == os.Getpid() {
		return false
	}
	_, err := os.Stat("/proc/" + strconv.Itoa(d.Process))
	return os.IsNotExist(err)
}

// space names what the number of a process means; "" where nothing tells.
func space() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(boot) < 36 {
		return ""
	}
	pids, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return string(boot[:36]) + " " + pids
}

func (b *Bucket) locked(d *leaseDoc, left time.Duration) error {
	return &holdfast.Error{
		Op:   "lock",
		Err:  &holdfast.LockedError{Object: b.Location(), Owner: d.Owner},
		Hint: fmt.Sprintf("if it is dead, its lease runs out in %s at most", max(left.Round(time.Second), time.Second)),
	}
}
