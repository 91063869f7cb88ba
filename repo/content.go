package repo

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// A blockSource leads to the blocks of the entries of a backup.
type blockSource interface {
	// extents gives where the blocks of e are.
	extents(e *entry) ([]extent, error)
	// payload opens the payload behind reference ref of these: 0 is the
	// entry's own.
	payload(e *entry, ref int) (*payload, error)
	// remote tells whether each of them is a request to a service.
	remote() bool
}

// content reads the bytes of one file of a backup, whatever its form: from its
// own payload, those of other backups, and holes. It may be used by several
// goroutines.
type content struct {
	e     *entry
	xs    []extent
	from  blockSource
	cache *frameCache

	ahead ahead
	refs  openings[int, *payload]

	mu     sync.Mutex // of warmed
	warmed bool
	wg     sync.WaitGroup // of warm
}

func newContent(e *entry, from blockSource, cache *frameCache) (*content, error) {
	xs, err := from.extents(e)
	if err != nil {
		return nil, err
	}
	return &content{e: e, xs: xs, from: from, cache: cache}, nil
}

// payload opens the payload behind a reference.
func (c *content) payload(ref int) (*payload, error) {
	return c.refs.get(ref, func() (*payload, error) {
		c.warm()
		return c.from.payload(c.e, ref)
	})
}

// warmRefs is how many payloads are opened before they are needed.
const warmRefs = 16

// warm opens, once a second payload is needed, those that hold most of the file as well: who
// reads from a service would wait for each of a chain of deltas, one after the other.
func (c *content) warm() {
	if !c.from.remote() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	opened := c.refs.keys()
	if c.warmed || len(opened) < 2 {
		return
	}
	c.warmed = true
	blocks := map[int]int64{}
	for _, x := range c.xs {
		blocks[x.ref] += x.count
	}
	for _, ref := range opened {
		delete(blocks, ref)
	}
	rest := slices.SortedFunc(maps.Keys(blocks), func(a, b int) int { return cmp.Or(cmp.Compare(blocks[b], blocks[a]), cmp.Compare(b, a)) })
	for _, ref := range rest[:min(len(rest), warmRefs)] {
		c.wg.Go(func() { _, _ = c.payload(ref) }) // who needs it is told what is wrong
	}
}

// close closes the payloads that were opened.
func (c *content) close() error {
	c.ahead.close()
	c.wg.Wait()
	return c.refs.close((*payload).close)
}

// readAt fills p with the bytes at off, all of which must lie in the file. If
// check is not set, the caller compares the digest of the whole file. What p
// has beyond its length may be overwritten.
func (c *content) readAt(p []byte, off int64, check bool) error {
	for i := findExtent(c.xs, off/blockSize); len(p) > 0; i++ {
		if i == len(c.xs) {
			clear(p)
			return nil
		}
		x := c.xs[i]
		if hole := x.block*blockSize - off; hole > 0 {
			n := min(hole, int64(len(p)))
			clear(p[:n])
			p, off = p[n:], off+n
		}
		n := min((x.block+x.count)*blockSize-off, int64(len(p)))
		if n <= 0 {
			return nil
		}
		if err := c.readPayload(x.ref, p[:n], x.at*blockSize+off-x.block*blockSize, check); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// readPayload fills p with plaintext of a payload from pos on.
func (c *content) readPayload(ref int, p []byte, pos int64, check bool) error {
	pl, err := c.payload(ref)
	if err != nil {
		return err
	}
	if pos+int64(len(p)) > pl.plain {
		return pl.damaged("holds %d bytes where %s needs %d", pl.plain, c.e.Path, pos+int64(len(p)))
	}
	for len(p) > 0 {
		i, within := pos/frameSize, int(pos%frameSize)
		n := min(len(p), plainSize(i, pl.plain)-within)
		if n == plainSize(i, pl.plain) {
			// A whole frame goes where it belongs without a copy.
			if _, err := pl.readFrame(i, p[:n], check); err != nil {
				return err
			}
		} else {
			if err := c.readPart(pl, i, within, p[:n]); err != nil {
				return err
			}
		}
		p, pos = p[n:], pos+int64(n)
	}
	return nil
}

// readPart fills p with a part of frame i by way of the cache.
func (c *content) readPart(pl *payload, i int64, within int, p []byte) error {
	c.ahead.need(pl, i, c.from.remote(), c.cache)
	if c.cache.read(pl.where, i, within, p) {
		return nil
	}
	buf := plainBuffers.Get().(*[]byte)
	plain, err := pl.readFrame(i, *buf, true)
	if err != nil {
		plainBuffers.Put(buf)
		return err
	}
	copy(p, plain[within:])
	c.cache.put(pl.where, i, buf, len(plain))
	return nil
}

// hole tells whether the n bytes at off are one hole.
func (c *content) hole(off, n int64) bool {
	i := findExtent(c.xs, off/blockSize)
	return i == len(c.xs) || c.xs[i].block*blockSize >= off+n
}
