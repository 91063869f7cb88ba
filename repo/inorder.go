package repo

// These are the parts of content for a file that is read from front to back, in
// pieces of a frame.

// readInOrder begins to read the file in order: of each payload the frames are
// then wanted one after the other, so that few need to be kept.
func (c *content) readInOrder() {
	refs := map[int]bool{}
	for _, x := range c.xs {
		refs[x.ref] = true
	}
	c.cache = newFrameCacheOf(min(2*len(refs)+workers, cachedFrames))
}

// readFrame fills p, as long as a frame or what is left of the file, with the
// bytes at off, as readAt does. Where most of it is one stored frame, with some
// blocks changed, that is decoded in place, and the others are laid over it.
func (c *content) readFrame(p []byte, off int64, check bool) error {
	under, ok := c.mostly(off/blockSize, blocksOf(int64(len(p))))
	if !ok {
		return c.readAt(p, off, check)
	}
	pl, err := c.payload(under.ref)
	if err != nil {
		return err
	}
	size := int64(plainSize(under.frame, pl.plain))
	if size > int64(len(p)) || size < min(under.blocks*blockSize, int64(len(p))) {
		return c.readAt(p, off, check)
	}
	if _, err := pl.readFrame(under.frame, p[:size], check); err != nil {
		return err
	}
	return c.layOver(p, off, under, check)
}

// A stretch is a frame of a payload that holds blocks of a frame of the file, at
// the same places.
type stretch struct {
	ref    int
	frame  int64
	count  int64 // of these blocks
	blocks int64 // up to the last of them
}

// covers tells whether the blocks of x, in the frame of the file that begins at
// the block first, lie in the stretch.
func (s *stretch) covers(x extent, first int64) bool {
	at := x.at - x.block + first
	return x.ref == s.ref && at%blocksPerFrame == 0 && at/blocksPerFrame == s.frame
}

// mostly finds the stored frame that holds at least half of the n blocks from
// first on at their places.
func (c *content) mostly(first, n int64) (stretch, bool) {
	var space [4]stretch
	list := space[:0]
	for i := findExtent(c.xs, first); i < len(c.xs) && c.xs[i].block < first+n; i++ {
		x := c.xs[i]
		at := x.at - x.block + first
		if at < 0 || at%blocksPerFrame != 0 {
			continue
		}
		k := 0
		for k < len(list) && !list[k].covers(x, first) {
			k++
		}
		if k == cap(list) {
			continue
		}
		if k == len(list) {
			list = append(list, stretch{ref: x.ref, frame: at / blocksPerFrame})
		}
		end := min(x.block+x.count, first+n)
		list[k].count += end - max(x.block, first)
		list[k].blocks = end - first
	}
	for _, s := range list {
		if 2*s.count >= n {
			return s, true
		}
	}
	return stretch{}, false
}

// layOver fills in what of p, the frame at off, is not in the stretch.
func (c *content) layOver(p []byte, off int64, under stretch, check bool) error {
	first, done := off/blockSize, int64(0)
	for i := findExtent(c.xs, first); done < int64(len(p)); i++ {
		if i == len(c.xs) {
			clear(p[done:])
			return nil
		}
		x := c.xs[i]
		from := min(max((x.block-first)*blockSize, 0), int64(len(p)))
		clear(p[done:from]) // a hole
		done = min((x.block+x.count-first)*blockSize, int64(len(p)))
		if from == done || under.covers(x, first) {
			continue
		}
		// Nothing behind done may be touched: it is right already.
		if err := c.readPayload(x.ref, p[from:done:done], x.at*blockSize+off+from-x.block*blockSize, check); err != nil {
			return err
		}
	}
	return nil
}
