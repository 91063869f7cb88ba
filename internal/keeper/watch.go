package keeper

import (
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// The bounds of how often the sources are looked at.
const (
	leastLook = 250 * time.Millisecond
	mostLook  = 5 * time.Second
)

// A sight is what all watched sources looked like at one moment.
type sight struct {
	state   string
	settled bool
	absent  bool // none of the sources exists, as far as can be seen
}

// sightOf looks at the sources that can be looked at. One that cannot be just now
// looks like nothing else: that it can be again is a change.
func sightOf(sources []holdfast.Source) sight {
	s := sight{settled: true, absent: true}
	var b strings.Builder
	for _, source := range sources {
		p, ok := source.(holdfast.Peeker)
		if !ok {
			s.absent = false
			continue
		}
		state, settled, err := p.Peek()
		if err != nil {
			state, settled = "cannot be looked at: "+err.Error(), false // only a capture tells
		}
		b.WriteString(source.Name() + "\x00" + state + "\x00")
		s.settled = s.settled && settled
		s.absent = s.absent && state == ""
	}
	s.state = b.String()
	return s
}

// A watch decides when a change must be backed up. All times are readings of the
// keeper's clock. The zero value with a limit is ready.
type watch struct {
	within time.Duration // the longest that a change goes without a backup; zero: nothing is watched

	known bool
	base  sight         // what was seen before the newest backup was captured
	same  time.Duration // up to when nothing was written since, for certain
	dirty bool          // something else was seen since
}

// every is how often somebody should look.
func (w *watch) every() time.Duration { return min(max(w.within/10, leastLook), mostLook) }

// reset forgets everything: the next backup begins anew.
func (w *watch) reset() { *w = watch{within: w.within} }

// saved tells that a backup holds everything that was written before s was seen.
func (w *watch) saved(s sight, at time.Duration) {
	w.known, w.base, w.same, w.dirty = true, s, at, false
}

// see tells what is seen now, and tells whether that is the first sight of a change.
func (w *watch) see(s sight, now time.Duration) (first bool) {
	switch {
	case !w.known || w.dirty:
		return false
	case s.state != w.base.state:
		w.dirty = true
		return true
	}
	if w.base.settled && s.settled {
		w.same = now // otherwise there may be a change already, which does not show
	}
	return false
}

// clean tells that nothing was written since the newest backup, if s is seen now.
func (w *watch) clean(s sight) bool {
	return w.known && !w.dirty && w.base.settled && s.settled && s.state == w.base.state
}

// due tells when the next backup must begin. A change is as old as the last look
// that told for certain that there was none. If base was not settled there may be one
// that no look will ever show.
func (w *watch) due() (at time.Duration, ok bool) {
	if !w.known || w.within == 0 || !w.dirty && w.base.settled {
		return 0, false
	}
	return w.same + max(w.within/2-w.every(), 0), true
}
