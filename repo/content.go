package repo

import (
	"sync"
)

// A blockSource leads to the blocks of the entries of a backup.
type blockSource interface {
	// extents gives where the blocks of e are.
	extents(e *entry) ([]extent, error)
	// payload opens the payload behind reference ref of these: 0 is the
	// entry's own.
	payload(e *entry, ref int) (*payload, error)
}

// content reads the bytes of one file of a backup, whatever its form: from its
// own payload, those of other backups, and holes. It may be used by several
// goroutines.
type content struct {
	e     *entry
	xs    []extent
	from  blockSource
	cache *frameCache

	mu   sync.Mutex
	refs map[int]*payload
}

func newContent(e *entry, from blockSource, cache *frameCache) (*content, error) {
	xs, err := from.extents(e)
	if err != nil {
		return nil, err
	}
	return &content{e: e, xs: xs, from: from, cache: cache, refs: map[int]*payload{}}, nil
}

func (c *content) payload(ref int) (*payload, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.refs[ref]; p != nil {
		return p, nil
	}
	p, err := c.from.payload(c.e, ref)
	if err != nil {
		return nil, err
	}
	c.refs[ref] = p
	return p, nil
}

// close closes the payloads that were opened.
func (c *content) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first error
	for _, p := range c.refs {
		if err := p.close(); err != nil && first == nil {
			first = err
		}
	}
	clear(c.refs)
	return first
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
	k := frameKey{pl.where, i}
	if c.cache.read(k, within, p) {
		return nil
	}
	buf := plainBuffers.Get().(*[]byte)
	plain, err := pl.readFrame(i, *buf, true)
	if err != nil {
		plainBuffers.Put(buf)
		return err
	}
	copy(p, plain[within:])
	c.cache.put(k, buf, len(plain))
	return nil
}

// hole tells whether the n bytes at off are one hole.
func (c *content) hole(off, n int64) bool {
	i := findExtent(c.xs, off/blockSize)
	return i == len(c.xs) || c.xs[i].block*blockSize >= off+n
}
