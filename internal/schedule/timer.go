package schedule

import "time"

// A Timer waits: fired gets a value once d is over, unless stop is called before.
// Whoever made it must call stop. Where time is simulated another one takes the
// place of [RealTime].
type Timer func(d time.Duration) (fired <-chan time.Time, stop func())

// RealTime is the timer of package time.
func RealTime(d time.Duration) (fired <-chan time.Time, stop func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}
