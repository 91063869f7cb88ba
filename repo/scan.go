package repo

import (
	"context"
	"fmt"
)

// scan reads a whole file in order, in pieces of a frame, and compares its
// digest. done gets them one by one; it may be nil. check asks for every piece
// to be right before done sees it; otherwise wrong bytes of a raw payload are
// found only by the digest at the end.
func (c *content) scan(ctx context.Context, check bool, done func(*frame) error) error {
	c.readInOrder()
	digest := newFileDigest()
	items := takeFrames(c.e.Size)
	defer putFrames(items)
	pipe := newPipeline(items,
		func(f *frame) error {
			if f.run > 0 {
				return nil
			}
			if err := c.readFrame(f.raw, f.off, check); err != nil {
				return err
			}
			f.hash()
			return nil
		},
		func(f *frame) error {
			if f.run > 0 {
				digest.addZeros(f.run * frameSize)
			} else {
				digest.add(f.hashes, int64(len(f.raw)))
			}
			if done == nil {
				return nil
			}
			return done(f)
		})
	for off := int64(0); off < c.e.Size && pipe.failed() == nil; {
		if err := ctx.Err(); err != nil {
			pipe.fail(err)
			break
		}
		f := pipe.take()
		f.reset()
		f.off = off
		n := min(frameSize, c.e.Size-off)
		if n == frameSize && c.hole(off, n) {
			f.run = 1
		} else {
			f.raw = f.raw[:n]
		}
		off += n
		pipe.submit(f)
	}
	if err := pipe.wait(); err != nil {
		return err
	}
	if got := digest.String(); got != c.e.Digest {
		return &damage{"", fmt.Errorf("%s does not have the digest recorded when it was captured", c.e.Path)}
	}
	return nil
}

// size is the number of bytes of the file that the frame stands for.
func (f *frame) size() int64 { return f.run*frameSize + int64(len(f.raw)) }
