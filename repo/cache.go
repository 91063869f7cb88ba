package repo

import (
	"container/list"
	"sync"
)

// cachedFrames is the number of frames that one open backup keeps decoded: 16
// MiB, enough for SQLite to walk the upper pages of its trees without decoding
// them again.
const cachedFrames = 64

// A frameCache keeps the frames used last. Nothing of them leaves it but copies,
// so that their memory is used again.
type frameCache struct {
	limit int
	mu    sync.Mutex
	byKey map[frameKey]*list.Element
	used  list.List // of *cachedFrame, the latest first
}

type frameKey struct {
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

func newFrameCache() *frameCache { return newFrameCacheOf(cachedFrames) }

// newFrameCacheOf keeps no more than limit frames.
func newFrameCacheOf(limit int) *frameCache {
	return &frameCache{limit: limit, byKey: map[frameKey]*list.Element{}}
}

// read copies a part of a frame into p, if it is there.
func (c *frameCache) read(k frameKey, within int, p []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byKey[k]
	if ok {
		c.used.MoveToFront(el)
		f := el.Value.(*cachedFrame)
		copy(p, (*f.buf)[within:f.size])
	}
	return ok
}

// put takes over a frame, the first size bytes of buf.
func (c *frameCache) put(k frameKey, buf *[]byte, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[k]; ok { // another goroutine read it meanwhile
		plainBuffers.Put(buf)
		return
	}
	c.byKey[k] = c.used.PushFront(&cachedFrame{k, buf, size})
	if c.used.Len() > c.limit {
		last := c.used.Remove(c.used.Back()).(*cachedFrame)
		delete(c.byKey, last.key)
		plainBuffers.Put(last.buf)
	}
}
