package repo

import "errors"

// A blockPacker stores the blocks that only a delta has, one after the other,
// in frames like those of a full file. Nothing is opened before the first
// frames are there: most deltas have none. They are raw only if these are all
// and packing saves nothing: nobody reads a delta as it is, and frames that do
// not shrink cost nothing among others.
type blockPacker struct {
	p        *Pending
	path     string // of the file
	compress bool

	blocks int64  // taken so far
	cur    *frame // being filled, nil if empty
	held   []*frame
	key    string // of the payload
	out    *payloadWriter
	pipe   *pipeline[frame]
}

// add takes one block, shorter than others if it is the last of the file. hash
// may be nil.
func (b *blockPacker) add(block []byte, hash *blockHash) error {
	if b.cur == nil {
		b.cur = b.take()
	}
	f := b.cur
	b.pad(f)
	f.raw = append(f.raw, block...)
	if hash == nil {
		h := hashBlock(block)
		hash = &h
	}
	f.hashes = append(f.hashes, *hash)
	b.blocks++
	if len(f.raw) < frameSize {
		return nil
	}
	b.cur = nil
	return b.push(f)
}

// pad fills a short block up: it turned out not to be the last of the payload.
func (b *blockPacker) pad(f *frame) {
	part := len(f.raw) % blockSize
	if part == 0 {
		return
	}
	f.raw = append(f.raw, zeros[part:blockSize]...)
	f.hashes[len(f.hashes)-1] = hashBlock(f.raw[len(f.raw)-blockSize:])
}

func (b *blockPacker) take() *frame {
	if b.pipe == nil {
		return takeFrame()
	}
	f := b.pipe.take()
	f.reset()
	return f
}

// push passes a frame on: to the probe at first, later to the workers.
func (b *blockPacker) push(f *frame) error {
	switch {
	case b.pipe != nil:
		b.pipe.submit(f)
		return b.pipe.failed()
	case b.out != nil: // raw: nothing to work on
		defer frames.Put(f)
		return b.out.store(f)
	}
	if b.compress {
		f.pack()
	}
	if b.held = append(b.held, f); len(b.held) < probeFrames {
		return nil
	}
	if err := b.decide(b.compress); err != nil {
		return err
	}
	if b.out.zstd {
		items := make([]*frame, inFlight)
		for i := range items {
			items[i] = takeFrame()
		}
		b.pipe = newPipeline(items, func(f *frame) error { f.pack(); return nil }, b.out.store)
	}
	return nil
}

// shrinks tells whether packing the frames held, the only ones, saves anything.
func (b *blockPacker) shrinks() bool {
	var table seekTableWriter
	saved := 0
	for _, f := range b.held {
		saved += len(f.raw) - len(f.packed)
		table.add(len(f.packed), len(f.raw))
	}
	return b.compress && saved > len(table.frame())
}

// decide opens the payload and stores the frames held.
func (b *blockPacker) decide(zstd bool) error {
	b.key = b.p.names.claim(b.path+".delta", zstd)
	out, err := b.p.newPayloadWriter(b.key, zstd, nil)
	if err != nil {
		b.p.names.release(b.key)
		return err
	}
	b.out = out
	for _, f := range b.held {
		if err := out.store(f); err != nil {
			return err
		}
	}
	b.dropHeld()
	return nil
}

func (b *blockPacker) dropHeld() {
	for _, f := range b.held {
		frames.Put(f)
	}
	b.held = b.held[:0]
}

// finish ends the payload, if there is one, and fills in what e says about it.
func (b *blockPacker) finish(e *entry) error {
	if f := b.cur; f != nil {
		b.cur = nil
		if err := b.push(f); err != nil {
			return err
		}
	}
	if err := b.stopPipe(); err != nil {
		return err
	}
	if b.out == nil {
		if len(b.held) == 0 {
			return nil
		}
		if err := b.decide(b.shrinks()); err != nil {
			return err
		}
	}
	e.Payload = b.key
	return b.out.end(e)
}

func (b *blockPacker) stopPipe() error {
	if b.pipe == nil {
		return nil
	}
	err := b.pipe.wait()
	for range inFlight {
		frames.Put(b.pipe.take())
	}
	b.pipe = nil
	return err
}

// discard drops everything taken so far.
func (b *blockPacker) discard() error {
	if f := b.cur; f != nil {
		b.cur = nil
		if b.pipe != nil {
			b.pipe.free <- f
		} else {
			frames.Put(f)
		}
	}
	err := b.stopPipe()
	b.dropHeld()
	if b.out != nil {
		err = errors.Join(err, b.out.discard())
		b.p.names.release(b.key)
		b.out = nil
	}
	return err
}
