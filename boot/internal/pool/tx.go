package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// tx is a transaction of BeginTx. Until it ends, the connection is at work.
type tx struct {
	c     *conn
	inner driver.Tx
}

// errUnsupported is for what only newer drivers can do.
var errUnsupported = errors.New("the driver of the database does not support it")

// Begin begins a transaction.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	err := c.do(ctx, job{run: func(inner driver.Conn) (bool, error) {
		begun, err := begin(ctx, inner, opts)
		if err != nil {
			return false, err
		}
		c.tx = &tx{c: c, inner: begun}
		return true, nil
	}})
	if err != nil {
		return nil, err
	}
	return c.tx, nil
}

func begin(ctx context.Context, inner driver.Conn, opts driver.TxOptions) (driver.Tx, error) {
	if b, ok := inner.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	if opts.ReadOnly || opts.Isolation != 0 {
		return nil, fmt.Errorf("begin a transaction with options: %w", errUnsupported)
	}
	//lint:ignore SA1019 all that the driver has
	return inner.Begin()
}

// Commit commits, unless the transaction has ended by itself.
func (t *tx) Commit() error {
	c := t.c
	var err error
	switch {
	case c.ended != nil:
		err = endedError(c.ended)
	case c.p.moved(c.place):
		err = errMoved
	default:
		err = t.inner.Commit()
	}
	if err != nil && c.inTransaction() {
		err = errors.Join(err, t.inner.Rollback())
	}
	return t.over(err)
}

// Rollback rolls back. What SQLite has rolled back by itself needs no more.
func (t *tx) Rollback() error {
	err := t.inner.Rollback()
	if t.c.ended != nil && !t.c.inTransaction() {
		err = nil
	}
	return t.over(err)
}

// over ends the work of the transaction.
func (t *tx) over(err error) error {
	c := t.c
	if storage, _ := c.p.judge(err); storage {
		c.fault = err
	}
	c.tx, c.ended = nil, nil
	c.finish(context.Background(), c.place)
	return err
}

// endedError refuses what would otherwise be executed outside of a transaction.
func endedError(cause error) error {
	return &holdfast.Error{
		Op: "use", Object: "transaction",
		Err:  fmt.Errorf("SQLite has rolled it back after an error: %w", cause),
		Hint: "roll back and run the transaction again",
	}
}

// follow notes what a statement may have done to the transaction.
func (c *conn) follow(text string, err error) {
	switch {
	case c.tx != nil:
		if err != nil && c.ended == nil && !c.inTransaction() {
			c.ended = err
		}
	case c.raw && err != nil, turns(text):
		c.unasked = true
	}
}

// settle asks SQLite whether a statement has begun or ended a transaction. It
// must wait until no rows are open, which the question could disturb.
func (c *conn) settle() {
	if !c.unasked || c.rows > 0 || c.tx != nil || c.inner == nil {
		return
	}
	c.unasked = false
	switch in := c.inTransaction(); {
	case in && !c.raw:
		c.raw = true
		c.p.mu.Lock()
		c.begin()
		c.p.mu.Unlock()
	case !in && c.raw:
		c.raw = false
		c.leave()
	}
}

// inTransaction asks SQLite whether the inner connection is in a transaction. A
// deferred BEGIN takes no lock and reads nothing.
func (c *conn) inTransaction() bool {
	if c.inner == nil {
		return false
	}
	if err := execute(c.inner, "BEGIN"); err != nil {
		return strings.Contains(err.Error(), "within a transaction")
	}
	// It was in none. A rollback also succeeds beside statements that have
	// just been cut off.
	_ = execute(c.inner, "ROLLBACK")
	return false
}

func execute(inner driver.Conn, statement string) error {
	if execer, ok := inner.(driver.ExecerContext); ok {
		_, err := execer.ExecContext(context.Background(), statement, nil)
		if !errors.Is(err, driver.ErrSkip) {
			return err
		}
	}
	s, err := inner.Prepare(statement)
	if err != nil {
		return err
	}
	//lint:ignore SA1019 every driver has it
	_, err = s.Exec(nil)
	return errors.Join(err, s.Close())
}
