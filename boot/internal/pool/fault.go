package pool

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// retries bounds how often one statement follows the pool to another place.
const retries = 4

// faultWait bounds the wait for a report that does not get on.
const faultWait = 2 * time.Second

// errMoved ends a transaction or rows whose place is no longer the present one.
var errMoved = &holdfast.Error{
	Op: "use", Object: "database",
	Err:  errors.New("it has moved to another place since this transaction began, which is not there"),
	Hint: "roll back and run the transaction again",
}

// report is one call of Options.Fault.
type report struct{ done chan struct{} }

// tell reports a fault of a place that was current when it was met, and waits
// until the report has been heard, or does not get on. Whoever meets the same
// meanwhile waits with it.
func (p *Pool) tell(ctx context.Context, fault error, place uint64) {
	p.mu.Lock()
	if p.opts.Fault == nil || p.place != place {
		p.mu.Unlock()
		return
	}
	r := p.report
	if r == nil {
		r = &report{done: make(chan struct{})}
		p.report = r
		// In a goroutine of its own: the statement that met the fault may
		// have less time than what the fault asks for. Closing the DB waits.
		go func() {
			p.opts.Fault(fault)
			p.mu.Lock()
			p.report = nil
			p.mu.Unlock()
			close(r.done)
		}()
	}
	p.mu.Unlock()
	// The goroutine that waits here may have rows open elsewhere, for which a
	// hold waits. So it only waits long for a hold that has been reached.
	tick := time.NewTicker(faultWait)
	defer tick.Stop()
	for {
		select {
		case <-r.done:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			if !p.held() {
				return
			}
		}
	}
}

// held tells that nothing is at work and nothing may begin.
func (p *Pool) held() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hold != nil && p.hold.reached()
}

// judge tells what an error means for the place.
func (p *Pool) judge(err error) (storage, sure bool) {
	if err == nil || p.opts.IsFault == nil {
		return false, false
	}
	return p.opts.IsFault(err)
}

// moved tells that place is no longer the present one.
func (p *Pool) moved(place uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.place != place
}
