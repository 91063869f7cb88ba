package sqlite

import (
	"bytes"
	"errors"
	"io"
)

// errDiffers tells that a comparer found a difference.
var errDiffers = errors.New("the content differs")

// comparer is a holdfast.FileWriter that compares what is written to it with
// another file, except for the fields of the header that every commit changes
// or that a restore through SQLite keeps.
type comparer struct {
	want io.ReaderAt
	size int64
	done int64
	buf  []byte
}

// keptFields are the bytes of the header that may differ: journal mode, change
// counter, number of pages, schema cookie, and which version of SQLite wrote
// last.
var keptFields = []struct{ from, to int }{{18, 20}, {24, 32}, {40, 44}, {92, 100}}

func (c *comparer) Write(p []byte) (int, error) {
	if c.done+int64(len(p)) > c.size {
		return 0, errDiffers
	}
	if cap(c.buf) < len(p) {
		c.buf = make([]byte, len(p))
	}
	want := c.buf[:len(p)]
	if n, err := c.want.ReadAt(want, c.done); n < len(p) {
		return 0, errors.Join(errDiffers, err)
	}
	if c.done == 0 && len(p) >= headerSize {
		for _, f := range keptFields {
			copy(want[f.from:f.to], p[f.from:f.to])
		}
	}
	if !bytes.Equal(want, p) {
		return 0, errDiffers
	}
	c.done += int64(len(p))
	return len(p), nil
}

func (c *comparer) Skip(int64) error { return errDiffers }
func (c *comparer) Reset() error     { c.done = 0; return nil }
func (c *comparer) Stamp(string)     {}
func (c *comparer) Close() error     { return nil }
func (c *comparer) Discard() error   { return nil }
