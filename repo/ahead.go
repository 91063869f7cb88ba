package repo

import "sync"

// Who walks through a table of a database asks for one frame after the other, and would wait
// for each: for a processor that decodes it, or for a bucket far away. So frames that will be
// asked for next are read ahead into the cache, from a service several with one request. No
// more are than the walk has asked for in a row, so that who jumps about reads little that he
// does not need.

const (
	// aheadFrames is how many frames are read ahead of one walk at most, from a service, and
	// aheadAtOnce how many of them by one request. From nearby there is nothing to wait for
	// but the decoding: aheadNear keeps a second processor busy.
	aheadFrames = 16
	aheadAtOnce = 8
	aheadNear   = 2
	// aheadGap is how many frames may be left out: a table shares its pages with its indexes.
	aheadGap = 1
	// walksKept is how many readers of one payload are told apart.
	walksKept = 4
	// aheadSideBySide bounds the requests of one file at a time.
	aheadSideBySide = 4
)

// An ahead reads ahead in the payloads of one file. Its zero value is ready.
type ahead struct {
	mu     sync.Mutex
	walks  map[*payload]*[walksKept]walk
	busy   map[frameOf]chan struct{} // what is being read
	clock  uint64
	now    int // requests under way
	closed bool
	wg     sync.WaitGroup
}

// A frameOf is a frame of a payload.
type frameOf struct {
	payload *payload
	frame   int64
}

// A walk is one reader that goes on from frame to frame.
type walk struct {
	last  int64 // that was asked for
	steps int64 // so far
	until int64 // what comes before was read ahead, or is being
	used  uint64
}

// step is told that somebody needs a frame. It gives what is to be read ahead, if anything.
func (a *ahead) step(p *payload, frame, most int64) (from, to int64) {
	if a.walks == nil {
		a.walks, a.busy = map[*payload]*[walksKept]walk{}, map[frameOf]chan struct{}{}
	}
	walks := a.walks[p]
	if walks == nil {
		walks = new([walksKept]walk)
		a.walks[p] = walks
	}
	a.clock++
	// The walk that is nearest: of two side by side, one must not be taken for the other.
	var w *walk
	oldest := &walks[0]
	for i := range walks {
		by := frame - walks[i].last
		if walks[i].used > 0 && by >= 0 && by <= aheadGap+1 && (w == nil || by < frame-w.last) {
			w = &walks[i]
		}
		if walks[i].used < oldest.used {
			oldest = &walks[i]
		}
	}
	if w == nil {
		*oldest = walk{last: frame, until: frame + 1, used: a.clock}
		return 0, 0
	}
	w.used = a.clock
	if frame == w.last {
		return 0, 0
	}
	w.last = frame
	w.steps++
	w.until = max(w.until, frame+1)
	reach := min(w.steps, most)
	end := min(frame+1+reach, p.frames())
	n := end - w.until
	if n <= 0 || n < reach/2 && end < p.frames() || a.closed || a.now == aheadSideBySide {
		return 0, 0
	}
	from = w.until
	to = from + min(n, aheadAtOnce)
	w.until = to
	return from, to
}

// need waits for a frame if it is being read ahead, and has those after it read.
func (a *ahead) need(p *payload, frame int64, remote bool, cache *frameCache) {
	most := int64(aheadNear)
	if remote {
		most = aheadFrames
	}
	a.mu.Lock()
	from, to := a.step(p, frame, most)
	// Another walk may have been there just now.
	known := func(i int64) bool { return cache.has(p.where, i) || a.busy[frameOf{p, i}] != nil }
	for from < to && known(from) {
		from++
	}
	for from < to && known(to-1) {
		to--
	}
	wait := a.busy[frameOf{p, frame}]
	if from < to {
		a.now++
		done := make(chan struct{})
		for i := from; i < to; i++ {
			a.busy[frameOf{p, i}] = done
		}
		a.wg.Go(func() {
			// What cannot be read is told to who asks for it.
			_ = p.readFrames(from, to, func(i int64, buf *[]byte, size int) { cache.put(p.where, i, buf, size) })
			a.mu.Lock()
			defer a.mu.Unlock()
			a.now--
			for i := from; i < to; i++ {
				delete(a.busy, frameOf{p, i})
			}
			close(done)
		})
	}
	a.mu.Unlock()
	if wait != nil {
		<-wait
	}
}

// close waits for what is being read.
func (a *ahead) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.wg.Wait()
}
