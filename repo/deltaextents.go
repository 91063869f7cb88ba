package repo

// Limits on the number of extents of one delta. Below the first, every block
// counts. Beyond it, a frame gets one extent: what cannot be said in one is
// stored whole, unchanged blocks too. Beyond the second, everything is stored.
// So a file in which every other block changes costs bounded memory instead of
// bytes. They are variables for tests, which have no files of that size.
var (
	fineDelta = 1 << 17
	maxDelta  = 1 << 18
)

// deltaExtents collects the extents of a delta in the order of its blocks.
type deltaExtents struct {
	xs   []extent
	next int64 // the block after the last added
}

// put adds count blocks that lie from at on in the payload of ref.
func (d *deltaExtents) put(count, at int64, ref int) {
	if n := len(d.xs) - 1; n >= 0 {
		if x := &d.xs[n]; x.ref == ref && x.block+x.count == d.next && x.at+x.count == at {
			x.count += count
			d.next += count
			return
		}
	}
	d.xs = append(d.xs, extent{block: d.next, count: count, at: at, ref: ref})
	d.next += count
}

// hole adds count blocks of zeros.
func (d *deltaExtents) hole(count int64) { d.next += count }

// coarse tells that a frame may have no more than one extent.
func (d *deltaExtents) coarse() bool { return len(d.xs) >= fineDelta }

// full tells that nothing but the own payload can be referred to any more.
func (d *deltaExtents) full() bool { return len(d.xs) >= maxDelta }

// An extentCursor finds blocks that are asked for in order.
type extentCursor struct {
	xs []extent
	i  int
}

// A place is where a block lies that was stored before: how many from it on lie
// one after the other there, none if it does not.
type place struct {
	at, count int64
	ref       int
}

// find gives the place of block.
func (c *extentCursor) find(block int64) place {
	for c.i < len(c.xs) && c.xs[c.i].block+c.xs[c.i].count <= block {
		c.i++
	}
	if c.i == len(c.xs) || c.xs[c.i].block > block {
		return place{}
	}
	x := c.xs[c.i]
	return place{x.at + block - x.block, x.block + x.count - block, x.ref}
}
