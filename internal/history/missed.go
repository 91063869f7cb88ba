package history

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast/internal/schedule"
)

// A Schedule is when backups are to be made by themselves.
type Schedule struct {
	Every time.Duration // zero: never
	Cron  []string
}

// words names the schedule, so that another one is seen to be another.
func (s Schedule) words() string {
	if s.Every == 0 && len(s.Cron) == 0 {
		return "none"
	}
	return fmt.Sprintf("%s; %s", s.Every, strings.Join(s.Cron, "; "))
}

// How long a run may be late: a quarter of the pause to the next, within bounds, and
// never longer than that pause.
const (
	leastGrace = 5 * time.Minute
	mostGrace  = time.Hour
)

func grace(pause time.Duration) time.Duration {
	return min(pause, max(leastGrace, min(pause/4, mostGrace)))
}

// mostBack is how far back it is looked for runs that were missed.
const mostBack = 30 * 24 * time.Hour

// missed gives the moments after a time at which a run was due that did not come until
// another time. The one that Every counts from is base: the last run that did come.
func (s Schedule) missed(base, after, until time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		if back := until.Add(-mostBack); after.Before(back) {
			after = back
		}
		due, ok := s.next(base, after)
		for ok {
			following, more := s.next(base, due)
			pause := mostBack
			if more {
				pause = following.Sub(due)
			}
			if due.Add(grace(pause)).After(until) || !yield(due) {
				return
			}
			due, ok = following, more
		}
	}
}

// next is the first run that is due after a time.
func (s Schedule) next(base, after time.Time) (next time.Time, ok bool) {
	if s.Every > 0 {
		turns := max(0, after.Sub(base)/s.Every) + 1
		next, ok = base.Add(turns*s.Every), true
	}
	if len(s.Cron) > 0 {
		if at, found := schedule.NextCron(s.Cron, after); found && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}
