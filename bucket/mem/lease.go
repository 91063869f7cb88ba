package mem

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// lease is the right to write.
type lease struct {
	b     *Bucket
	owner holdfast.Owner
	lost  chan struct{}
}

// Lock implements bucket.Bucket.
func (b *Bucket) Lock(ctx context.Context, owner holdfast.Owner) (bucket.Lease, error) {
	if err := b.begin(ctx, "lock", ""); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lease != nil {
		return nil, &holdfast.LockedError{Object: b.Location(), Owner: b.lease.owner}
	}
	b.lease = &lease{b: b, owner: owner, lost: make(chan struct{})}
	b.taken = b.lease
	return b.lease, nil
}

// Break takes the lease from its holder, if there is one, as an expiry does
// that the holder slept through.
func (b *Bucket) Break() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lease != nil {
		close(b.lease.lost)
		b.lease = nil
	}
}

// fenced tells whether whoever began under this lease may change nothing any
// more; nil is no lease. The bucket's mutex is held.
func (l *lease) fenced(op, key string) error {
	if l == nil {
		return nil
	}
	select {
	case <-l.lost:
		return &holdfast.Error{Op: op, Object: key, Err: bucket.ErrFenced}
	default:
		return nil
	}
}

// Lost implements bucket.Lease.
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Release implements bucket.Lease.
func (l *lease) Release() error {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	if l.b.lease == l {
		l.b.lease, l.b.taken = nil, nil
	}
	return nil
}
