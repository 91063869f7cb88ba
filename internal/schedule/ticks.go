package schedule

import "time"

// Ticks follow the moments of cron by a [Clock]: each is due once. What became due
// while nobody looked is due at once, once. A wall clock that is set back delays
// nothing and makes nothing due twice, save that where it would be waited for longer
// than twice the pause between two moments, they count anew. Whoever shares Ticks
// guards them.
type Ticks struct {
	clock       *Clock
	expressions []string

	ok   bool          // there is a next one
	at   time.Duration // when it is due, by the clock
	tick time.Time     // which it is, by the wall
}

// Ticks gives those of some expressions from now on.
func (c *Clock) Ticks(expressions []string) *Ticks {
	t := &Ticks{clock: c, expressions: expressions}
	t.from(c.Wall(c.Passed()))
	return t
}

// from waits for the first moment after a time.
func (t *Ticks) from(after time.Time) {
	if t.tick, t.ok = NextCron(t.expressions, after); t.ok {
		t.at = t.clock.At(t.tick)
	}
}

// Next tells when the next moment is, by the clock; false if there is none.
func (t *Ticks) Next() (at time.Duration, ok bool) { return t.at, t.ok }

// Missed takes in that it was done last at a time, by an earlier process: if a moment
// has passed since, it is due at once.
func (t *Ticks) Missed(last time.Time) {
	now := t.clock.Passed()
	if tick, ok := PrevCron(t.expressions, t.clock.Wall(now)); ok && tick.After(last) {
		t.tick, t.at, t.ok = tick, now, true
	}
}

// Done takes in that it has been done, begun at a reading of the clock: for the
// moment that was due then, and what came while that went on. If none was due, a
// moment that has come meanwhile still is.
func (t *Ticks) Done(begun time.Duration) {
	if !t.ok || begun < t.at {
		return
	}
	now := t.clock.Wall(t.clock.Passed())
	next, ok := NextCron(t.expressions, now)
	if ok && !next.After(t.tick) { // the wall clock was set back
		unserved, found := NextCron(t.expressions, t.tick)
		if pause := unserved.Sub(t.tick); found && t.tick.Sub(now) <= pause {
			next = unserved
		}
	}
	if t.tick, t.ok = next, ok; ok {
		t.at = t.clock.At(next)
	}
}
