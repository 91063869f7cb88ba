package repo

import (
	"bytes"
	"fmt"
)

// A deltaWriter stores of one file what its base does not have, at the same place
// or, where much has moved, at any (shifted.go). Frames come hashed and in order. A second pass stores, beyond what
// the first did, only what neither the base nor the first pass has.
type deltaWriter struct {
	p   *Pending
	old *hashList // of the base, read beside the frames

	base    extentCursor // where the base's blocks are
	shifted shifted
	notes   *notes
	xs      deltaExtents
	pack    *blockPacker

	first   *firstDelta // from the second pass on
	changed *spool      // of a second pass: blocks still to be stored
	compare comparison
}

// firstDelta is what the first pass found and stored.
type firstDelta struct {
	where  extentCursor
	list   *hashList
	blocks int64 // stored
}

// newDeltaWriter begins a file that has list, which was found to be right, and
// extents in the base.
func newDeltaWriter(p *Pending, path string, compress bool, old *hashList, extents []extent, n *notes) *deltaWriter {
	return &deltaWriter{
		p: p, old: old, base: extentCursor{xs: extents}, shifted: shifted{list: old}, notes: n,
		pack: &blockPacker{p: p, path: path, compress: compress},
	}
}

// again begins a further pass.
func (d *deltaWriter) again(n *notes) error {
	if d.first == nil {
		d.first = &firstDelta{
			where: extentCursor{xs: d.xs.xs}, blocks: d.pack.blocks,
			list: newHashList(d.notes.list, d.notes.digest.size, ""),
		}
	}
	err := d.changed.close()
	d.old.rewind()
	d.first.list.rewind()
	d.base.i, d.first.where.i = 0, 0
	d.shifted.misses, d.shifted.vain = 0, 0
	d.notes, d.xs = n, deltaExtents{}
	d.changed = &spool{limit: changedInMemory}
	return err
}

// take looks at one frame, or a run of frames of zeros.
func (d *deltaWriter) take(f *frame) error {
	if err := d.notes.note(f); err != nil {
		return err
	}
	for range f.run {
		if err := d.zeros(); err != nil {
			return err
		}
	}
	if f.run > 0 {
		return nil
	}
	c, err := d.comparison(f)
	if err != nil {
		return err
	}
	if d.xs.coarse() {
		return d.whole(f, c)
	}
	for i := range f.hashes {
		if f.zero>>i&1 == 1 {
			d.xs.hole(1)
			continue
		}
		at := c.find(i)
		if at.count == 0 {
			if at, err = d.elsewhere(c.now[i*listedHash : (i+1)*listedHash]); err != nil {
				return err
			}
		} else {
			d.shifted.found()
		}
		if at.count > 0 {
			d.xs.put(1, at.at, at.ref)
			continue
		}
		if err := d.store(f, i); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere looks for a block of the base that is at another place now.
func (d *deltaWriter) elsewhere(hash []byte) (place, error) {
	block, ok, err := d.shifted.find(hash)
	if err != nil || !ok {
		return place{}, err
	}
	xs := d.base.xs
	if i := findExtent(xs, block); i < len(xs) && xs[i].block <= block {
		return place{at: xs[i].at + block - xs[i].block, count: 1, ref: xs[i].ref}, nil
	}
	return place{}, nil
}

// zeros takes a frame of zeros.
func (d *deltaWriter) zeros() error {
	if _, err := d.old.next(); err != nil {
		return err
	}
	if d.first != nil {
		if _, err := d.first.list.next(); err != nil {
			return err
		}
	}
	if !d.xs.full() {
		d.xs.hole(blocksPerFrame)
		return nil
	}
	z := takeFrame()
	defer frames.Put(z)
	z.raw = append(z.raw, zeros[:]...)
	z.hash()
	return d.storeAll(z)
}

// whole takes a frame when there are so many extents that it may have no more
// than one.
func (d *deltaWriter) whole(f *frame, c *comparison) error {
	n := int64(len(f.hashes))
	if !d.xs.full() {
		if f.allZero() {
			d.xs.hole(n)
			return nil
		}
		if at, ok := c.findAll(); ok {
			d.xs.put(n, at.at, at.ref)
			return nil
		}
	}
	return d.storeAll(f)
}

func (d *deltaWriter) storeAll(f *frame) error {
	for i := range f.hashes {
		if err := d.store(f, i); err != nil {
			return err
		}
	}
	return nil
}

// store puts block i of f into the own payload: at once in the first pass,
// later in a further one, for which somebody may be waiting.
func (d *deltaWriter) store(f *frame, i int) error {
	block := f.raw[i*blockSize : min((i+1)*blockSize, len(f.raw))]
	if d.first == nil {
		d.xs.put(1, d.pack.blocks, 0)
		return d.pack.add(block, &f.hashes[i])
	}
	d.xs.put(1, d.first.blocks+blocksOf(d.changed.length()), 0)
	if _, err := d.changed.Write(block); err != nil {
		return fmt.Errorf("changed blocks: %w", err)
	}
	return nil
}

// finish ends the file and fills in what e says about it.
func (d *deltaWriter) finish(e *entry) error {
	// The base's hashes were right when the file was begun; what was
	// compared must be the same ones.
	if err := d.old.finish(d.p.ctx); err != nil {
		return err
	}
	if err := d.storeChanged(); err != nil {
		return err
	}
	e.Form, e.Size, e.Extents = formDelta, d.notes.digest.size, d.xs.xs
	e.Digest = d.notes.digest.String()
	if err := d.pack.finish(e); err != nil {
		return err
	}
	return d.old.close()
}

// storeChanged appends what a further pass has put aside.
func (d *deltaWriter) storeChanged() error {
	if d.first == nil {
		return nil
	}
	block := make([]byte, blockSize)
	for left := d.changed.length(); left > 0; {
		b := block[:min(left, blockSize)]
		if err := d.changed.next(b); err != nil {
			return fmt.Errorf("changed blocks: %w", err)
		}
		if err := d.pack.add(b, nil); err != nil {
			return err
		}
		left -= int64(len(b))
	}
	return d.changed.close()
}

// A comparison finds the blocks of one frame in the base and the first pass.
type comparison struct {
	block     int64 // the first of the frame
	now       []byte
	old, seen extentList
	nowSpace  [frameList]byte
}

// An extentList is where the blocks of an earlier state of the file are, with
// their hashes for one frame.
type extentList struct {
	hashes []byte
	where  *extentCursor
}

func (d *deltaWriter) comparison(f *frame) (*comparison, error) {
	c := &d.compare
	c.block = d.xs.next
	c.now = f.list(c.nowSpace[:0])
	hashes, err := d.old.next()
	c.old = extentList{hashes, &d.base}
	if err == nil && d.first != nil {
		hashes, err = d.first.list.next()
		c.seen = extentList{hashes, &d.first.where}
	}
	return c, err
}

// find tells where block i of the frame is; nowhere if it must be stored.
func (c *comparison) find(i int) place {
	from, to := i*listedHash, (i+1)*listedHash
	for _, l := range []*extentList{&c.old, &c.seen} {
		if to <= len(l.hashes) && bytes.Equal(c.now[from:to], l.hashes[from:to]) {
			if at := l.where.find(c.block + int64(i)); at.count > 0 {
				return at
			}
		}
	}
	return place{}
}

// findAll tells where the whole frame is, if it lies in one piece.
func (c *comparison) findAll() (place, bool) {
	for _, l := range []*extentList{&c.old, &c.seen} {
		if n := len(c.now); n <= len(l.hashes) && bytes.Equal(c.now, l.hashes[:n]) {
			if at := l.where.find(c.block); at.count*listedHash >= int64(n) {
				return at, true
			}
		}
	}
	return place{}, false
}

// drop forgets what was stored so far.
func (d *deltaWriter) drop() error {
	err := d.pack.discard()
	if e := d.changed.close(); err == nil {
		err = e
	}
	if e := d.old.close(); err == nil {
		err = e
	}
	return err
}
