package repo

import (
	"container/list"
	"sync"
)

// cachedFrames is the number of frames that all open backups of the process keep decoded
// together: 16 MiB, enough for SQLite to walk the upper pages of its trees without
// decoding them again, in two backups side by side too. It does not grow with the number
// of backups that are open.
const cachedFrames = 64

// openFrames keeps the frames of all open backups.
var openFrames = newFramePool(cachedFrames)

// A framePool keeps the frames used last. Nothing of them leaves it but copies, so that
// their memory is used again.
type framePool struct {
	limit int
	mu    sync.Mutex
	byKey map[frameKey]*list.Element
	used  list.List // of *cachedFrame, the latest first
}

// newFramePool keeps no more than limit frames.
func newFramePool(limit int) *framePool {
	return &framePool{limit: limit, byKey: map[frameKey]*list.Element{}}
}

// A frameCache is one user's part of a pool.
type frameCache struct{ pool *framePool }

// newFrameCache shares the room of all open backups; clear gives it back.
func newFrameCache() *frameCache { return &frameCache{openFrames} }

// newFrameCacheOf keeps no more than limit frames, and shares them with nobody.
func newFrameCacheOf(limit int) *frameCache { return &frameCache{newFramePool(limit)} }

type frameKey struct {
	owner  *frameCache
	stored string // stored file, from the repository's root
	frame  int64
}

type cachedFrame struct {
	key  frameKey
	buf  *[]byte
	size int
}

// plainBuffers hold decoded frames.
var plainBuffers = sync.Pool{New: func() any { b := make([]byte, 0, frameSize+decodeSlack); return &b }}

// read copies a part of a frame into p, if it is there.
func (c *frameCache) read(stored string, frame int64, within int, p []byte) bool {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	el, ok := c.pool.byKey[frameKey{c, stored, frame}]
	if ok {
		c.pool.used.MoveToFront(el)
		f := el.Value.(*cachedFrame)
		copy(p, (*f.buf)[within:f.size])
	}
	return ok
}

// has tells whether a frame is there.
func (c *frameCache) has(stored string, frame int64) bool {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	_, ok := c.pool.byKey[frameKey{c, stored, frame}]
	return ok
}

// put takes over a frame, the first size bytes of buf.
func (c *frameCache) put(stored string, frame int64, buf *[]byte, size int) {
	k := frameKey{c, stored, frame}
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if _, ok := c.pool.byKey[k]; ok { // another goroutine read it meanwhile
		plainBuffers.Put(buf)
		return
	}
	c.pool.byKey[k] = c.pool.used.PushFront(&cachedFrame{k, buf, size})
	if c.pool.used.Len() > c.pool.limit {
		c.pool.drop(c.pool.used.Back())
	}
}

// clear lets go of all that c has put in.
func (c *frameCache) clear() {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	for el := c.pool.used.Front(); el != nil; {
		next := el.Next()
		if el.Value.(*cachedFrame).key.owner == c {
			c.pool.drop(el)
		}
		el = next
	}
}

// drop lets go of one frame, under the lock.
func (p *framePool) drop(el *list.Element) {
	f := p.used.Remove(el).(*cachedFrame)
	delete(p.byKey, f.key)
	plainBuffers.Put(f.buf)
}
