// Package scheduletest has a clock for tests that live through days or months.
//
// A [Clock] gives a wall clock and a timer to what is tested: [Clock.Now] is for
// every option called Now, [Clock.Timer] for every option called Timer. Time stands
// still until the test lets it pass, by [Clock.Advance] or [Clock.Leap], and after
// each step the clock waits until what was woken has come to rest. What waits by
// package time is not seen: it goes on in real time.
package scheduletest

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Options say how a clock finds out that what it woke is at rest.
type Options struct {
	// Settle returns when everything is at rest, such as synctest.Wait. Nil waits in
	// real time: until as many timers are waited for again as before, or a moment
	// has passed, and Busy is false.
	Settle func()
	// Busy tells whether something is at work that no timer tells of, such as
	// keeper.Keeper.Busy. It must be false for what waits by a timer of this clock.
	// Nil is never.
	Busy func() bool
	// ComeBack is how long what was woken may take to wait again, or to be busy: long
	// for what is real work on a loaded machine. A loop that has ended costs it once.
	// Zero is 5 ms.
	ComeBack time.Duration
}

// A Clock is a simulated clock. Its methods may be called side by side, but only one
// goroutine lets time pass.
type Clock struct {
	o Options

	mu     sync.Mutex
	wall   time.Time
	passed time.Duration // by which timers go
	timers []*timer      // not fired yet
	fired  []*timer      // of which perhaps nobody knows yet
	count  int           // of all timers that ever were
}

// A timer is waited for.
type timer struct {
	at    time.Duration
	order int
	fired chan time.Time
}

// New makes a clock that shows a time.
func New(start time.Time, o Options) *Clock {
	if o.Busy == nil {
		o.Busy = func() bool { return false }
	}
	if o.ComeBack == 0 {
		o.ComeBack = 5 * time.Millisecond
	}
	return &Clock{o: o, wall: start.Round(0)}
}

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

// Timer is a schedule.Timer that goes by this clock. One that is to wait for no time
// fires at once.
func (c *Clock) Timer(d time.Duration) (fired <-chan time.Time, stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	t := &timer{at: c.passed + d, order: c.count, fired: make(chan time.Time, 1)}
	if d <= 0 {
		t.fired <- c.wall
		return t.fired, func() {}
	}
	c.timers = append(c.timers, t)
	return t.fired, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		same := func(other *timer) bool { return other == t }
		c.timers = slices.DeleteFunc(c.timers, same)
		c.fired = slices.DeleteFunc(c.fired, same)
	}
}

// Set sets what the clock shows, as somebody sets the clock of a machine: no time
// passes.
func (c *Clock) Set(to time.Time) {
	c.mu.Lock()
	c.wall = to.Round(0)
	c.mu.Unlock()
}

// Advance lets time pass. Each timer fires at its moment, in order, and what it wakes
// comes to rest before the next does.
func (c *Clock) Advance(by time.Duration) {
	end := c.reading() + by
	c.settle(0)
	for {
		next, ok := c.next()
		if !ok || next > end {
			break
		}
		c.settle(c.pass(next))
	}
	c.pass(end)
}

// Leap lets time pass at once, as for a machine that slept: every timer that is due
// in it fires at its end. It is the quick way through a month whose loops look at the
// clock every few seconds.
func (c *Clock) Leap(by time.Duration) {
	c.settle(0)
	c.settle(c.pass(c.reading() + by))
}

// Through leaps through a long time in steps.
func (c *Clock) Through(total, step time.Duration) {
	for ; total > 0; total -= step {
		c.Leap(min(step, total))
	}
}

func (c *Clock) reading() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed
}

// next tells when the next timer fires.
func (c *Clock) next() (at time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.timers {
		if !ok || t.at < at {
			at, ok = t.at, true
		}
	}
	return at, ok
}

// pass lets time pass up to a reading, fires what is due and tells how many timers
// were waited for before.
func (c *Clock) pass(to time.Duration) (waited int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall, c.passed = c.wall.Add(to-c.passed), to
	waited = len(c.timers)
	slices.SortFunc(c.timers, func(a, b *timer) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
	c.timers = slices.DeleteFunc(c.timers, func(t *timer) bool {
		if t.at > to {
			return false
		}
		t.fired <- c.wall
		c.fired = append(c.fired, t)
		return true
	})
	return waited
}

const (
	look     = 20 * time.Microsecond
	lookBusy = 200 * time.Microsecond
	// calm is how often in a row everything must look at rest.
	calm = 3
	// deaf is how long a timer that fired may be left unheard: whoever does not wait for it
	// any more has not stopped it.
	deaf = time.Second
)

// settle waits until what was woken has come to rest: as a rule when as many timers
// are waited for as before.
func (c *Clock) settle(waited int) {
	if c.o.Settle != nil {
		c.o.Settle()
		return
	}
	rests, seen, changed := 0, -1, time.Now()
	for rests < calm {
		time.Sleep(look)
		c.mu.Lock()
		now, count := len(c.timers), c.count
		c.fired = slices.DeleteFunc(c.fired, func(t *timer) bool { return len(t.fired) == 0 })
		unheard := len(c.fired) > 0 && time.Since(changed) < deaf
		c.mu.Unlock()
		if count != seen {
			seen, changed = count, time.Now()
		}
		switch {
		case c.o.Busy():
			rests, changed = 0, time.Now()
			time.Sleep(lookBusy)
		case unheard, now < waited && time.Since(changed) < c.o.ComeBack:
			rests = 0
		default:
			rests++
		}
	}
	c.mu.Lock()
	c.fired = nil
	c.mu.Unlock()
}
