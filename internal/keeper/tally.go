package keeper

import (
	"context"
	"sync"
)

// A tally counts what is at work, so that somebody can wait for its end. The zero
// value is ready.
type tally struct {
	mu      sync.Mutex
	working int
	pausing int           // of those: they only wait for time to pass
	ended   chan struct{} // closed when nothing is at work; nil: nobody waits
}

// begin counts something that is at work now, until end.
func (t *tally) begin() {
	t.mu.Lock()
	t.working++
	t.mu.Unlock()
}

func (t *tally) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.working--; t.working == 0 && t.ended != nil {
		close(t.ended)
		t.ended = nil
	}
}

// pause does something that only waits.
func (t *tally) pause(wait func() error) error {
	t.add(1)
	defer t.add(-1)
	return wait()
}

func (t *tally) add(pausing int) {
	t.mu.Lock()
	t.pausing += pausing
	t.mu.Unlock()
}

// busy tells whether anything is at work that does not only wait.
func (t *tally) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.working > t.pausing
}

// wait returns when nothing is at work, or when ctx has ended.
func (t *tally) wait(ctx context.Context) error {
	t.mu.Lock()
	if t.working == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.ended == nil {
		t.ended = make(chan struct{})
	}
	ended := t.ended
	t.mu.Unlock()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
