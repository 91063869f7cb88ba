package schedule

import (
	"sync"
	"time"
)

// A Clock counts the time that passes. Timers follow the monotonic clock, which
// stands still while some machines are suspended; the wall clock goes on there, but
// can be set back. A Clock takes what went further since it was last read, so that
// it never goes back, never stands still, and has the time of a suspension at once.
type Clock struct {
	wall func() time.Time

	mu     sync.Mutex
	passed time.Duration
	read   time.Time // by package time, with its monotonic reading
	seen   time.Time // by the wall
}

// NewClock starts a clock at zero. wall is the wall clock; nil is time.Now.
func NewClock(wall func() time.Time) *Clock {
	if wall == nil {
		wall = time.Now
	}
	return &Clock{wall: wall, read: time.Now(), seen: wall().Round(0)}
}

// Passed is how much time has passed since the clock was started.
func (c *Clock) Passed() time.Duration {
	passed, _ := c.now()
	return passed
}

// Wall is the wall clock's time at a reading of this clock, by what both say now.
func (c *Clock) Wall(at time.Duration) time.Time {
	passed, wall := c.now()
	return wall.Add(at - passed)
}

// At is the reading of this clock when the wall clock shows t, by what both say now.
func (c *Clock) At(t time.Time) time.Duration {
	passed, wall := c.now()
	return passed + t.Round(0).Sub(wall)
}

func (c *Clock) now() (passed time.Duration, wall time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, wall := time.Now(), c.wall().Round(0)
	c.passed += max(now.Sub(c.read), wall.Sub(c.seen), 0)
	c.read, c.seen = now, wall
	return c.passed, wall
}
