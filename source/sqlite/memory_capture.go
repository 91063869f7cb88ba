package sqlite

import (
	"bytes"
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
)

// memoryChunk is how much of an in-memory database is read under one lock while
// nobody need wait for more.
const memoryChunk = 2 << 20

// Capture copies the in-memory database as it is at one instant.
//
// A reader keeps writers out here, so it is first read in parts, each under a lock
// of its own; if nothing was written from the first to the last, that was it.
// Otherwise it is read again in one transaction, and the time for which writers
// had to wait is reported.
func (m *Memory) Capture(ctx context.Context, sink holdfast.Sink) (holdfast.Captured, error) {
	fail := func(err error) (holdfast.Captured, error) {
		if ctx.Err() != nil {
			return holdfast.Captured{}, context.Cause(ctx)
		}
		return holdfast.Captured{}, err
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	l, err := m.live(ctx)
	if err != nil {
		return fail(err)
	}
	w, err := sink.Create(holdfast.Entry{Path: m.file.file(), Mode: m.mode()})
	if err != nil {
		return fail(errors.Join(err, l.conn.Close()))
	}
	c := &capture{path: m.uri, w: &headKeeper{FileWriter: w}, mode: ModeRollback}
	err = errors.Join(c.memory(ctx, l), l.conn.Close())
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fail(errors.Join(err, w.Discard()))
	}
	return c.outcome(m.file.file()), nil
}

// memory reads an in-memory database.
func (c *capture) memory(ctx context.Context, l *Live) error {
	still, err := c.readParts(ctx, l)
	if err != nil || still {
		c.method = "memory, in parts"
		c.stall = l.Held()
		return err
	}
	if err := c.restart(); err != nil {
		return err
	}
	if err := l.Begin(ctx); err != nil {
		return err
	}
	err = l.Copy(ctx, c.w, nil)
	err = errors.Join(err, l.End())
	c.method, c.stall = "memory, locked", l.Held()
	return err
}

// readParts copies the database part by part and tells whether the parts belong
// to one instant.
func (c *capture) readParts(ctx context.Context, l *Live) (still bool, err error) {
	var buf bytes.Buffer
	var first, now []byte
	still = true
	for page := int64(1); page > 0; {
		buf.Reset()
		if now, page, err = readPart(ctx, l, &buf, page); err != nil {
			return false, err
		}
		if first == nil {
			first = now
		}
		still = still && bytes.Equal(first, now)
		c.written = true
		if _, err := c.w.Write(buf.Bytes()); err != nil { // no lock is held
			return false, err
		}
	}
	return still, nil
}

// readPart reads the next pages under a lock, and the header that every commit
// changes. The next page is zero at the end.
func readPart(ctx context.Context, l *Live, buf *bytes.Buffer, page int64) (head []byte, next int64, err error) {
	if err := l.Begin(ctx); err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, l.End()) }()
	size, count, err := l.pages(ctx)
	if err != nil {
		return nil, 0, l.explain("read", err)
	}
	if count == 0 {
		return []byte{}, 0, nil
	}
	if err := l.active.QueryRowContext(ctx, headQuery, headerSize).Scan(&head); err != nil {
		return nil, 0, l.explain("read", err)
	}
	last := min(count, page+memoryChunk/size-1)
	if page <= last { // it may have become smaller
		if err := l.copySome(ctx, buf, size, page, last); err != nil {
			return nil, 0, l.explain("copy database", err)
		}
	}
	if last >= count {
		return head, 0, nil
	}
	return head, last + 1, nil
}
