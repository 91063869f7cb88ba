package repo

import (
	"container/list"
	"sync"
)

// cachedFrames is the number of frames that one open backup keeps decoded: 16
// MiB, enough for SQLite to walk the upper pages of its trees without decoding
// them again.
const cachedFrames = 64

// A frameCache keeps the frames used last. The plaintext it hands out is never
// changed.
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
	key   frameKey
	plain []byte
}

func newFrameCache() *frameCache { return newFrameCacheOf(cachedFrames) }

// newFrameCacheOf keeps no more than limit frames.
func newFrameCacheOf(limit int) *frameCache {
	return &frameCache{limit: limit, byKey: map[frameKey]*list.Element{}}
}

func (c *frameCache) get(k frameKey) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byKey[k]
	if !ok {
		return nil, false
	}
	c.used.MoveToFront(el)
	return el.Value.(*cachedFrame).plain, true
}

func (c *frameCache) put(k frameKey, plain []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[k]; ok {
		return
	}
	c.byKey[k] = c.used.PushFront(&cachedFrame{k, plain})
	if c.used.Len() > c.limit {
		last := c.used.Back()
		c.used.Remove(last)
		delete(c.byKey, last.Value.(*cachedFrame).key)
	}
}
