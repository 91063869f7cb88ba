package pool

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// conn is one connection of database/sql. Its inner connection is opened again
// after each hold.
//
// database/sql uses a connection from one goroutine at a time. A hold takes the
// inner connection away only while busy is zero, under the lock of the pool.
type conn struct {
	p *Pool

	busy   int    // guarded by p.mu
	closed bool   // while the pool was held, which does the rest
	place  uint64 // of inner
	inner  driver.Conn
	stmts  map[*stmt]struct{}

	rows int // that are open
	tx   *tx // begun by BeginTx
	// raw tells that a transaction was begun by a statement; unasked that a
	// statement may have begun or ended one and SQLite could not be asked yet.
	raw, unasked bool
	// ended is why SQLite ended the transaction by itself.
	ended error
	// fault is what is to be told when the work is over.
	fault error
}

var (
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
)

// ready gives the inner connection, at the place that is the present one when
// work on the connection begins.
func (c *conn) ready(ctx context.Context) (driver.Conn, error) {
	p := c.p
	p.mu.Lock()
	uri, place := p.uri, p.place
	stale := func() error { return nil }
	if c.inner != nil && c.place != place {
		stale = c.detach()
	}
	inner := c.inner
	p.mu.Unlock()
	if inner != nil {
		return inner, nil
	}
	if err := stale(); err != nil {
		return nil, fmt.Errorf("leave the former place of the database: %w", err)
	}
	inner, err := p.opts.Open(ctx, uri)
	if err != nil {
		return nil, err
	}
	_, asks := inner.(driver.NamedValueChecker)
	p.mu.Lock()
	c.inner, c.place = inner, place
	p.asks = p.asks || asks
	p.mu.Unlock()
	return inner, nil
}

// A job is one thing that a connection is asked for.
type job struct {
	// run does it. What it leaves open keeps the connection at work.
	run func(inner driver.Conn) (open bool, err error)
	// text is the SQL, if it may begin or end a transaction.
	text string
	// once tells that a failed run may have done a part of it.
	once bool
}

// do runs a job, at another place if the present one turns out to be unable.
func (c *conn) do(ctx context.Context, j job) error {
	for try := 1; ; try++ {
		place, alone, err := c.enter(ctx)
		if err != nil {
			return err
		}
		open, harmless, err := c.attempt(ctx, j)
		storage, sure := c.p.judge(err)
		if storage {
			c.fault = err
		}
		if open {
			return err
		}
		c.finish(ctx, place)
		again := storage && alone && (sure && !j.once || harmless)
		if !again || try == retries || ctx.Err() != nil || !c.p.moved(place) {
			return err
		}
	}
}

// nothing only opens the connection.
func nothing(driver.Conn) (bool, error) { return false, nil }

// attempt runs a job once. Harmless tells that it was not even begun.
func (c *conn) attempt(ctx context.Context, j job) (open, harmless bool, err error) {
	if c.ended != nil {
		return false, false, endedError(c.ended)
	}
	inner, err := c.ready(ctx)
	if err != nil {
		return false, true, err
	}
	open, err = j.run(inner)
	c.follow(j.text, err)
	return open, false, err
}

// finish ends the work of one job, and tells what it met if nothing else is at
// work on the connection.
func (c *conn) finish(ctx context.Context, place uint64) {
	c.settle()
	fault := c.fault
	c.p.mu.Lock()
	last := c.busy == 1
	c.p.mu.Unlock()
	if last {
		c.fault = nil
	}
	c.leave()
	if last && fault != nil {
		c.p.tell(ctx, fault, place)
	}
}

// ExecContext runs a statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	err = c.do(ctx, job{text: query, once: !single(query), run: func(inner driver.Conn) (bool, error) {
		execer, ok := inner.(driver.ExecerContext)
		if !ok {
			return false, driver.ErrSkip
		}
		result, err = execer.ExecContext(ctx, query, args)
		return false, err
	}})
	return result, err
}

// QueryContext runs a query.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	var out *rows
	err := c.do(ctx, job{text: query, once: !single(query), run: func(inner driver.Conn) (bool, error) {
		queryer, ok := inner.(driver.QueryerContext)
		if !ok {
			return false, driver.ErrSkip
		}
		r, err := queryer.QueryContext(ctx, query, args)
		out = c.opened(r, err)
		return out != nil, err
	}})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Prepare prepares a statement.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext prepares a statement, which goes on at another place.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s := &stmt{c: c, query: query}
	if err := c.do(ctx, job{run: func(inner driver.Conn) (bool, error) {
		return false, s.prepare(ctx, inner)
	}}); err != nil {
		return nil, err
	}
	return s, nil
}

// CheckNamedValue asks the inner connection, if the driver cares.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if !c.p.asked() {
		return driver.ErrSkip // at once: here is no context to wait with
	}
	err := driver.ErrSkip
	_ = c.do(context.Background(), job{run: func(inner driver.Conn) (bool, error) {
		if checker, ok := inner.(driver.NamedValueChecker); ok {
			err = checker.CheckNamedValue(v)
		}
		return false, nil
	}}) // what fails here is met again by the statement itself
	return err
}

// Ping asks whether the database can be used.
func (c *conn) Ping(ctx context.Context) error {
	return c.do(ctx, job{run: func(inner driver.Conn) (bool, error) {
		if pinger, ok := inner.(driver.Pinger); ok {
			return false, pinger.Ping(ctx)
		}
		return false, nil
	}})
}

// Raw gives the inner connection to f, which must not keep it. It is what
// sql.Conn.Raw is for: assert interface{ Raw(func(any) error) error } there, or
// use the function [Raw].
func (c *conn) Raw(f func(inner any) error) error {
	return c.do(context.Background(), job{text: anything, once: true, run: func(inner driver.Conn) (bool, error) {
		return false, f(inner)
	}})
}

// ResetSession prepares a connection for its next use.
func (c *conn) ResetSession(ctx context.Context) error {
	if !c.tryEnter() {
		return nil
	}
	defer c.leave()
	if r, ok := c.inner.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

// IsValid tells whether database/sql may keep the connection. One without an
// inner connection opens another when it is used.
func (c *conn) IsValid() bool {
	if !c.tryEnter() {
		return true
	}
	defer c.leave()
	if v, ok := c.inner.(driver.Validator); ok {
		return v.IsValid()
	}
	return true
}

// Close closes the connection. In a hold, the hold does it. Whatever was at work on
// it is over then: a transaction that a statement began, which SQLite rolls back, and
// what a panic of the caller has cut off.
func (c *conn) Close() error {
	if !c.tryEnter() {
		c.p.mu.Lock()
		defer c.p.mu.Unlock()
		c.closed = true
		if c.inner == nil {
			delete(c.p.conns, c)
		}
		return nil
	}
	c.p.mu.Lock()
	delete(c.p.conns, c)
	shut := c.detach()
	c.p.mu.Unlock()
	err := shut()
	c.p.mu.Lock()
	c.raw, c.busy = false, 1
	c.p.mu.Unlock()
	c.leave()
	return err
}
