package chromaproxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// unsureFor is how long a write may go on in the server after we have lost sight
// of it, because its client left or the connection broke.
const unsureFor = 30 * time.Second

// errClosed refuses what comes, or still waits, at the end.
var errClosed = errors.New("the proxy is being shut down")

// gate decides when a write may pass. Writes pass at once while a burst goes on;
// one that needs a backup first waits for it, and so does every write that
// comes after it. They are let through in the order of their arrival.
//
// A backup counts only for what had ended before it began. So a deletion first
// lets the writes in flight come to their end, and a write that passes makes
// the last backup one that is not fresh any more. Nothing passes a deletion in
// flight either: what the server acknowledged after the backup and before the
// deletion would be in neither.
type gate struct {
	burst   time.Duration
	maxWait time.Duration
	pass    bool // writes pass if the backup fails
	backup  func(reason string) error
	now     func() time.Time

	mu     sync.Mutex
	work   sync.WaitGroup
	closed bool
	queue  []*waiter
	busy   bool          // a worker looks after the queue
	saving bool          // it is making a backup
	late   bool          // and has taken so long that a write has passed meanwhile
	active int           // writes that have passed and not ended
	drops  int           // deletions among them
	idle   chan struct{} // closed when active falls to zero; nil if nobody waits for that
	ended  time.Time     // when the last write did
	unsure time.Time     // until then a write may go on that we do not see
	fresh  time.Time     // when the last backup ended, if nothing has passed since it began
	passed int64         // writes, ever
}

// waiter is a write in the queue.
type waiter struct {
	kind  Kind
	gone  chan struct{} // closed when it does not wait any more
	turn  chan struct{} // closed when there is a verdict
	given verdict
}

// verdict is what the gate says about a write.
type verdict struct {
	place   int64 // its number among those that passed; zero: it may not pass
	failure error // why there is no backup of what was before it
}

// enter waits until a write may pass, or must not. The error is the reason of
// ctx if that ends first. Whoever passed calls leave.
func (g *gate) enter(ctx context.Context, kind Kind) (verdict, error) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return verdict{failure: errClosed}, nil
	}
	nobodyWaits := !g.busy || g.late && kind == Write
	if nobodyWaits && g.ready(kind) {
		v := g.letPass(kind, nil)
		g.mu.Unlock()
		return v, nil
	}
	w := &waiter{kind: kind, gone: make(chan struct{}), turn: make(chan struct{})}
	g.queue = append(g.queue, w)
	if !g.busy {
		g.busy = true
		g.work.Go(g.serve)
	}
	g.mu.Unlock()
	return g.await(ctx, w)
}

// await waits for the verdict on w, but no longer than a write waits.
func (g *gate) await(ctx context.Context, w *waiter) (verdict, error) {
	patience := time.NewTimer(g.maxWait)
	defer patience.Stop()
	select {
	case <-w.turn:
	case <-ctx.Done():
	case <-patience.C:
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-w.turn:
		if ctx.Err() != nil && w.given.place != 0 {
			g.end(w.kind, true) // it passed at the moment it left: nothing was sent
			return verdict{}, context.Cause(ctx)
		}
		return w.given, nil
	default:
	}
	close(w.gone)
	g.queue = slices.DeleteFunc(g.queue, func(x *waiter) bool { return x == w })
	if ctx.Err() != nil {
		return verdict{}, context.Cause(ctx)
	}
	why := fmt.Errorf("it takes longer than %s", g.maxWait)
	if !g.pass {
		return verdict{failure: why}, nil
	}
	v := g.letPass(w.kind, why)
	if g.saving {
		// The burst has begun without a backup: the writes behind it need
		// not wait for this one.
		g.late = true
		g.release(func(x *waiter) bool { return x.kind == Write })
	}
	return v, nil
}

// leave ends a write that has passed; sure tells that the server had answered it.
func (g *gate) leave(kind Kind, sure bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.end(kind, sure)
}

func (g *gate) end(kind Kind, sure bool) {
	g.active--
	if kind == Deletion {
		g.drops--
	}
	g.ended = g.now()
	if !sure {
		g.unsure = g.ended.Add(unsureFor)
	}
	if g.active == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// letPass counts a write in.
func (g *gate) letPass(kind Kind, failure error) verdict {
	g.active++
	if kind == Deletion {
		g.drops++
	}
	g.passed++
	g.fresh = time.Time{}
	return verdict{place: g.passed, failure: failure}
}

// release lets those waiters pass that are chosen, in their order.
func (g *gate) release(chosen func(*waiter) bool) {
	g.queue = slices.DeleteFunc(g.queue, func(w *waiter) bool {
		if !chosen(w) {
			return false
		}
		w.given = g.letPass(w.kind, nil)
		close(w.turn)
		return true
	})
}

// ready tells whether a write may pass without a further backup. A clock that
// was turned back says nothing about how long ago something was.
func (g *gate) ready(kind Kind) bool {
	now := g.now()
	recent := func(t time.Time) bool {
		age := now.Sub(t)
		return !t.IsZero() && age >= 0 && age < g.burst
	}
	if g.active == 0 && recent(g.fresh) {
		return true
	}
	return kind == Write && g.drops == 0 && (g.active > 0 || recent(g.ended))
}

// serve looks after the queue until it is empty. There is one worker at a time.
func (g *gate) serve() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.queue) > 0 {
		head := g.queue[0]
		switch {
		case g.ready(head.kind):
			g.release(func(w *waiter) bool { return w == head })
		case g.active > 0:
			g.drain(head)
		default:
			g.save(head)
		}
	}
	g.busy, g.late = false, false
}

// drain waits until the writes in flight have ended, or head is gone; it gives
// the lock away meanwhile.
func (g *gate) drain(head *waiter) {
	idle := make(chan struct{})
	g.idle = idle
	g.mu.Unlock()
	select {
	case <-idle:
	case <-head.gone:
	}
	g.mu.Lock()
	g.idle = nil
}

// save makes the backup that head waits for, and those behind it; it gives the
// lock away meanwhile.
func (g *gate) save(head *waiter) {
	before, began := g.passed, g.now()
	g.saving, g.late = true, false
	g.mu.Unlock()
	err := g.backup(reason(head.kind))
	g.mu.Lock()
	g.saving, g.late = false, false
	switch {
	case err != nil:
		g.fail(err)
	case g.passed == before:
		if !began.Before(g.unsure) {
			g.fresh = g.now()
		}
		g.release(func(w *waiter) bool { return w == head })
	}
}

// fail tells all that wait that the backup which they shared has failed.
func (g *gate) fail(err error) {
	for _, w := range g.queue {
		switch {
		case g.ready(w.kind):
			w.given = g.letPass(w.kind, nil)
		case g.pass:
			w.given = g.letPass(w.kind, err)
		default:
			w.given = verdict{failure: err}
		}
		close(w.turn)
	}
	g.queue = nil
}

// close refuses what waits and what comes, and waits for the worker.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	for _, w := range g.queue {
		w.given = verdict{failure: errClosed}
		close(w.turn)
		close(w.gone)
	}
	g.queue = nil
	g.mu.Unlock()
	g.work.Wait()
}

// load tells how many writes wait and how many are in flight.
func (g *gate) load() (waiting, active int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.queue), g.active
}

// reason says what a backup is made for.
func reason(kind Kind) string {
	if kind == Deletion {
		return "before a deletion through the Chroma proxy"
	}
	return "before writes through the Chroma proxy"
}
