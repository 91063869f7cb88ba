package supervise

import (
	"context"
	"time"

	"github.com/holdfast-backup/holdfast/internal/child"
)

// A program that has just been started opens its data and may change the journal
// mode of its database; one that was asked to end may do so at its end. SQLite
// refuses that at once, whatever the busy timeout, as long as somebody else has the
// database open. So no backup begins in the first moments of either.
const (
	openingTime = 2 * time.Second
	closingTime = 400 * time.Millisecond
)

// A large share of a short limit is not waited for.
const (
	openingShare = 4  // of on_change
	closingShare = 20 // of shutdown_timeout
)

// opening tells for how much longer the program is left alone after its start.
func (s *supervisor) opening() time.Duration {
	age, running := s.program.Age()
	if !running {
		return 0
	}
	limit := openingTime
	if d := s.Config.Schedule.OnChange; d > 0 {
		limit = min(limit, d/openingShare)
	}
	return max(limit-age, 0)
}

// closing tells for how long the program is left alone when it is asked to end.
func (s *supervisor) closing() time.Duration {
	limit := s.Config.Schedule.ShutdownTimeout
	return max(min(closingTime, limit/closingShare), min(s.opening(), limit/openingShare))
}

// outlasts waits, and tells whether the program still runs then.
func outlasts(ctx context.Context, c *child.Child, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-c.Done():
		return false
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
