package survival

import (
	"time"

	"github.com/holdfast-backup/holdfast/repo"
)

// longestLease bounds what is believed of a record that asks for more.
const longestLease = time.Hour

// A verdict is what is known of another instance.
type verdict int

const (
	undecided verdict = iota // its lease runs, and it was not renewed since we look
	alive                    // it was renewed while we looked
	gone                     // it ended, or did not renew its lease
)

// clocks are the times of one look at the records. Only now is trusted to
// measure how much time passes.
type clocks struct {
	now   time.Time // with its monotonic reading
	wall  time.Time // the clock of this host, right or wrong
	store time.Time // when the store got the own record; zero if unknown
	lease time.Duration
}

// A sight is what was seen of another instance, and since when it looks so.
type sight struct {
	looks   string
	since   time.Time
	renewed bool
	verdict verdict
}

// look judges another instance by its record. The clocks of two hosts may differ
// by hours, so a lease has run out when it was not renewed for as long while
// time passed here. To be spared that wait after a long silence, two clocks that
// have nothing to do with each other must agree: that of this host, and that of
// the store, which both records got their times from.
func (s *sight) look(i repo.Instance, c clocks) {
	looks := i.Run + " " + i.Seen.String() + " " + i.Expires.String()
	lease := leaseOf(i, c.lease)
	first := s.looks == ""
	if looks != s.looks {
		s.looks, s.since, s.renewed = looks, c.now, !first
	}
	switch {
	case i.Ended != nil:
		s.verdict = gone
	case first && silent(i, c, lease):
		s.since = c.now.Add(-lease)
		s.verdict = gone
	case c.now.Sub(s.since) >= lease:
		s.verdict = gone
	case s.renewed:
		s.verdict = alive
	default:
		s.verdict = undecided
	}
}

// silent tells whether an instance was not heard of for twice its lease by the
// store's clock, and by its own compared with ours.
func silent(i repo.Instance, c clocks, lease time.Duration) bool {
	return !c.store.IsZero() && c.store.Sub(i.Modified) > 2*lease && c.wall.Sub(i.Expires.Time) > lease
}

// leaseOf is how long the owner wants to be believed in; by its own clock alone.
func leaseOf(i repo.Instance, usual time.Duration) time.Duration {
	d := i.Expires.Sub(i.Seen.Time)
	if d <= 0 {
		return usual
	}
	return min(d, longestLease)
}
