package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/holdfast-backup/holdfast/internal/durable"
)

var (
	errClosed   = fmt.Errorf("the object has ended: %w", fs.ErrClosed)
	errNegative = errors.New("negative length")
)

// content is an object that is being written, wherever it will lie; one
// goroutine uses it.
type content struct {
	ctx  context.Context       // of Create: io.Writer has none
	fail func(err error) error // names the object
	f    durable.File
	off  int64
	hole bool  // the object ends, so far, in a hole
	done bool  // closed or discarded
	err  error // the first failure; nothing good comes after it
}

// Write implements io.Writer.
func (c *content) Write(p []byte) (int, error) {
	if err := c.ready(); err != nil || len(p) == 0 {
		return 0, err
	}
	n, err := c.f.WriteAt(p, c.off)
	c.off += int64(n)
	c.hole = false
	return n, c.keep(err)
}

// Skip implements bucket.Writer.
func (c *content) Skip(n int64) error {
	if err := c.ready(); err != nil {
		return err
	}
	if n < 0 {
		return c.fail(errNegative)
	}
	c.off += n
	c.hole = c.hole || n > 0
	return nil
}

// ready looks whether the object can still take something.
func (c *content) ready() error {
	switch {
	case c.done:
		return c.fail(errClosed)
	case c.err != nil:
		return c.err
	case c.ctx.Err() != nil:
		return context.Cause(c.ctx)
	}
	return nil
}

// keep remembers the first failure, so that half an object cannot be closed.
func (c *content) keep(err error) error {
	if err != nil && c.err == nil {
		c.err = c.fail(err)
	}
	return c.err
}

// finish ends the file, durably if asked, and gives the first failure. The
// object must not have ended before.
func (c *content) finish(sync bool) error {
	c.done = true
	if c.ctx.Err() != nil && c.err == nil {
		c.err = context.Cause(c.ctx)
	}
	if c.hole && c.err == nil {
		_ = c.keep(c.f.Truncate(c.off))
	}
	if sync && c.err == nil {
		_ = c.keep(c.f.Sync())
	}
	return c.keep(c.f.Close())
}
