package api

import (
	"context"
	"sync"
	"time"
)

// A pace lets requests begin: so many a second, so many side by side, and none while
// the server wants a pause.
type pace struct {
	slots chan struct{}
	gap   time.Duration // between the beginnings of two requests, on the average
	burst time.Duration // how far beginnings may run ahead of that
	now   func() time.Time
	sleep func(context.Context, time.Duration) error

	mu    sync.Mutex
	next  time.Time // when the next request would begin if all kept the gap
	pause time.Time // until when the server wants no requests
}

func newPace(rate float64, parallel int, now func() time.Time, sleep func(context.Context, time.Duration) error) *pace {
	gap := time.Duration(float64(time.Second) / rate)
	return &pace{
		slots: make(chan struct{}, parallel),
		gap:   gap,
		burst: gap * time.Duration(parallel),
		now:   now,
		sleep: sleep,
	}
}

// begin returns when a request may begin; end must be called after it.
func (p *pace) begin(ctx context.Context) (end func(), err error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for wait := p.reserve(); wait > 0; wait = p.paused() {
		if err := p.sleep(ctx, wait); err != nil {
			<-p.slots
			return nil, err
		}
	}
	if err := context.Cause(ctx); err != nil {
		<-p.slots
		return nil, err
	}
	return func() { <-p.slots }, nil
}

// reserve takes a place in the row and tells how long to wait for it.
func (p *pace) reserve() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if early := now.Add(-p.burst); p.next.Before(early) {
		p.next = early
	}
	p.next = p.next.Add(p.gap)
	return max(p.next.Sub(now), p.pause.Sub(now))
}

// paused tells how long the server still wants its pause.
func (p *pace) paused() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pause.Sub(p.now())
}

// rest keeps all requests from beginning for d.
func (p *pace) rest(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := p.now().Add(d); until.After(p.pause) {
		p.pause = until
	}
}
