package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
)

const (
	// firstTry is how long newcomers wait at first for what is at work to
	// end. Each further try is twice as long, up to lastTry.
	firstTry = 25 * time.Millisecond
	lastTry  = time.Second
)

// A Hold keeps the pool still: nothing is at work, no connection to the
// database is open (but see [Pool.HoldOpen]), and whoever wants to begin waits for
// Release.
type Hold struct {
	p *Pool
	// idle is closed when nothing is at work, over when those who wait may go
	// on. Both change under the lock of the pool.
	idle, over chan struct{}
	// failed tells that those who waited pass: something was still at work.
	failed  bool
	release sync.Once
}

func (p *Pool) newHold() *Hold {
	return &Hold{p: p, idle: make(chan struct{}), over: make(chan struct{})}
}

// Hold waits until nothing is at work while it keeps newcomers waiting, and then
// closes all connections, so that no file of the database is open.
//
// A goroutine that has rows open and begins a second statement waits for the hold,
// which waits for the rows. So newcomers wait for a limited time only; then those
// who have waited pass, and the next try keeps back who comes after them. If ctx
// ends before one succeeds, the error matches ErrLocked and nothing has happened.
// The context must have a deadline.
func (p *Pool) Hold(ctx context.Context) (*Hold, error) {
	h, err := p.HoldOpen(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.Close(); err != nil {
		h.Release()
		return nil, err
	}
	return h, nil
}

// HoldOpen is Hold, and leaves the connections open until Close: what they read
// may be reachable through them only.
func (p *Pool) HoldOpen(ctx context.Context) (*Hold, error) {
	h, err := p.first(ctx)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(firstTry)
	defer timer.Stop()
	for patience := firstTry; ; {
		select {
		case <-h.idle:
		case <-ctx.Done():
		case <-timer.C:
		}
		if ctx.Err() != nil {
			if h.fail(nil) {
				return nil, lockedError(ctx, "a statement, a query or a transaction is still at work")
			}
		} else if next := p.newHold(); h.fail(next) {
			h = next
			patience = min(2*patience, lastTry)
			timer.Reset(patience)
			continue
		}
		return h, nil
	}
}

// ErrNoneOpen tells that no connection is open that could be asked.
var ErrNoneOpen = errors.New("no connection to the database is open")

// Execute runs a statement on one of the connections that are open still.
func (h *Hold) Execute(statement string) error {
	var open []driver.Conn
	h.p.mu.Lock()
	for c := range h.p.conns {
		if c.inner != nil && c.place == h.p.place {
			open = append(open, c.inner)
		}
	}
	h.p.mu.Unlock()
	if len(open) == 0 {
		return ErrNoneOpen
	}
	var errs []error
	for _, inner := range open {
		err := execute(inner, statement)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Close closes every connection.
func (h *Hold) Close() error {
	if err := h.closeAll(); err != nil {
		return &holdfast.Error{Op: "hold", Object: "database", Err: err}
	}
	return nil
}

// first begins the first try, when nobody else holds the pool.
func (p *Pool) first(ctx context.Context) (*Hold, error) {
	h := p.newHold()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.hold != nil {
		over := p.hold.over
		p.mu.Unlock()
		select {
		case <-over:
			p.mu.Lock()
		case <-ctx.Done():
			p.mu.Lock()
			return nil, lockedError(ctx, "somebody else holds it")
		}
	}
	p.hold = h
	if p.working == 0 {
		close(h.idle)
	}
	return h, nil
}

// fail ends a try in which something is still at work, lets those pass who have
// waited, and begins the next one. It tells whether the try had failed.
func (h *Hold) fail(next *Hold) bool {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	if h.reached() {
		return false
	}
	h.failed = true
	h.p.hold = next
	close(h.over)
	return true
}

// reached tells that nothing is at work. From then on nothing begins.
func (h *Hold) reached() bool {
	select {
	case <-h.idle:
		return true
	default:
		return false
	}
}

// closeAll closes every inner connection.
func (h *Hold) closeAll() error { return h.shut(func(*conn) bool { return true }) }

// shut closes the inner connections of some.
func (h *Hold) shut(which func(*conn) bool) error {
	var closing []func() error
	h.p.mu.Lock()
	for c := range h.p.conns {
		if !which(c) {
			continue
		}
		closing = append(closing, c.detach())
		if c.closed {
			delete(h.p.conns, c)
		}
	}
	h.p.mu.Unlock()
	var errs []error
	for _, shut := range closing {
		errs = append(errs, shut())
	}
	return errors.Join(errs...)
}

// Move makes uri the place of everything that follows. It must be called before
// Release, and only when the content is there.
func (h *Hold) Move(uri string) { h.p.Use(uri) }

// Release lets everybody go on. A second Release does nothing.
func (h *Hold) Release() {
	h.release.Do(func() {
		// What database/sql has given up meanwhile is closed here; nobody is
		// left who could be told of an error.
		_ = h.shut(func(c *conn) bool { return c.closed })
		h.p.mu.Lock()
		h.p.hold = nil
		h.p.mu.Unlock()
		close(h.over)
	})
}

func lockedError(ctx context.Context, why string) error {
	return &holdfast.Error{
		Op: "hold", Object: "database",
		Err:  holdfast.Kindf(holdfast.ErrLocked, "%s (%w)", why, context.Cause(ctx)),
		Hint: "end transactions soon, and close the rows of every query",
	}
}

// enter begins work on a connection. Work inside of other work on the same
// connection does not wait for a hold, which waits for it. It gives the number
// of the place, and whether nothing else is at work on the connection.
func (c *conn) enter(ctx context.Context) (place uint64, alone bool, err error) {
	p := c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for c.busy == 0 && p.hold != nil {
		h := p.hold
		p.mu.Unlock()
		select {
		case <-h.over:
			p.mu.Lock()
			if h.failed && (p.hold == nil || !p.hold.reached()) {
				c.begin()
				return p.place, true, nil
			}
		case <-ctx.Done():
			p.mu.Lock()
			return 0, false, context.Cause(ctx)
		}
	}
	if c.busy > 0 && c.inner != nil && c.place != p.place {
		return 0, false, errMoved
	}
	c.begin()
	return p.place, c.busy == 1, nil
}

// tryEnter is enter for what database/sql does between statements: it must not
// wait, and while the pool is held there is nothing for it to do.
func (c *conn) tryEnter() bool {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.busy == 0 && c.p.hold != nil && c.p.hold.reached() {
		return false
	}
	c.begin()
	return true
}

// begin counts one more thing at work. The pool is locked.
func (c *conn) begin() {
	if c.busy == 0 {
		c.p.working++
	}
	c.busy++
}

// leave ends what enter began.
func (c *conn) leave() {
	p := c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	c.busy--
	if c.busy > 0 {
		return
	}
	p.working--
	if p.working == 0 && p.hold != nil && !p.hold.reached() {
		close(p.hold.idle)
	}
}

// detach takes the inner connection and its statements away and gives what
// closes them. The pool is locked.
func (c *conn) detach() (shut func() error) {
	var closers []func() error
	for s := range c.stmts {
		if s.inner != nil {
			closers = append(closers, s.inner.Close)
			s.inner = nil
		}
		if s.gone {
			delete(c.stmts, s)
		}
	}
	if c.inner != nil {
		closers = append(closers, c.inner.Close)
		c.inner = nil
	}
	return func() error {
		var errs []error
		for _, f := range closers {
			if err := f(); err != nil && !errors.Is(err, driver.ErrBadConn) {
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	}
}
