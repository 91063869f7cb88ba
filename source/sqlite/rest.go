package sqlite

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/holdfast-backup/holdfast/internal/inode"
)

const (
	// settleAge is how old the last change of a file must be for a later one
	// to show in its times, which tick every few milliseconds; on file
	// systems that keep whole seconds, coarseAge.
	settleAge = 50 * time.Millisecond
	coarseAge = 2100 * time.Millisecond
	// clockStep is the longest step of inode.Clock.
	clockStep = 10 * time.Millisecond
)

// stateOf looks at an open file.
func stateOf(f *os.File) (inode.State, error) {
	info, err := f.Stat()
	if err != nil {
		return inode.State{}, err
	}
	return inode.StateOf(info), nil
}

// settles tells how long from now, a reading of inode.Clock, it takes until a
// later change of the file shows in its times. A time in the future may take for
// ever: the next change may get the same.
func settles(s inode.State, now time.Time) time.Duration {
	age := settleAge
	if s.Changed().Nanosecond() == 0 {
		age = coarseAge
	}
	return max(0, age-now.Sub(s.Changed()))
}

// settle gives a file that was just written the time that it needs, once.
func settle(ctx context.Context, f *os.File) error {
	now := inode.Clock()
	s, err := stateOf(f)
	if err != nil {
		return err
	}
	wait := settles(s, now)
	if wait == 0 || wait > coarseAge {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(wait + clockStep):
		return nil
	}
}

// A rested is a file as it was when nobody was writing it.
type rested struct {
	state inode.State
	head  header
	// sure tells that every write since then moves the state.
	sure bool
}

// atRest looks at the file in a moment of SHARED: a write call that took its time
// before and stores its bytes later would not show, and there can be none then.
func (l *Live) atRest(ctx context.Context) (r rested, err error) {
	if err := settle(ctx, l.file); err != nil {
		return r, located(l.path, err)
	}
	if err := l.Begin(ctx); err != nil {
		return r, err
	}
	now := inode.Clock()
	r.state, err = stateOf(l.file)
	if err == nil && r.state.Size > 0 {
		r.head, err = readHeader(l.file)
	}
	if err != nil {
		err = located(l.path, err)
	}
	r.sure = l.mode == ModeRollback && settles(r.state, now) == 0
	return r, errors.Join(err, l.End())
}

// isStill tells, inside a transaction, whether the file is as it was at r: then
// whatever was read of it in between is the database as of now.
func (l *Live) isStill(r rested) (bool, error) {
	if !r.sure || l.active == nil || l.mode != ModeRollback {
		return false, nil
	}
	now, err := stateOf(l.file)
	if err != nil {
		return false, located(l.path, err)
	}
	if now != r.state || now.Size == 0 {
		return now == r.state, nil
	}
	head, err := readHeader(l.file)
	return err == nil && head == r.head, nil
}
