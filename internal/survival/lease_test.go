package survival

import (
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Only two clocks together spare the wait for a lease to run out.
func TestSight_FirstLook(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		wall, store time.Duration // how long ago the record was renewed, by these clocks
		unknown     bool          // the store's clock
		ended       bool
		want        verdict
	}{
		"just renewed":             {wall: time.Second, store: time.Second, want: undecided},
		"long ago by both":         {wall: time.Hour, store: time.Hour, want: gone},
		"long ago by ours":         {wall: time.Hour, store: time.Second, want: undecided},
		"long ago by the store's":  {wall: time.Second, store: time.Hour, want: undecided},
		"in the future by ours":    {wall: -time.Hour, store: time.Hour, want: undecided},
		"nobody knows the store's": {wall: time.Hour, store: time.Hour, unknown: true, want: undecided},
		"ended":                    {wall: time.Second, store: time.Second, ended: true, want: gone},
	} {
		i := repo.Instance{Seen: holdfast.At(now.Add(-tt.wall)), Expires: holdfast.At(now.Add(DefaultLease - tt.wall)), Modified: now.Add(-tt.store)}
		if tt.ended {
			i.Ended = &i.Seen
		}
		c := clocks{now: now, wall: now, store: now, lease: DefaultLease}
		if tt.unknown {
			c.store = time.Time{}
		}
		var s sight
		if s.look(i, c); s.verdict != tt.want {
			t.Errorf("%s: %d, want %d", name, s.verdict, tt.want)
		}
	}
}

// What its record looks like over time decides, whatever times it names.
func TestSight_OverTime(t *testing.T) {
	wrong := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	record := func(renewal time.Duration) repo.Instance {
		return repo.Instance{Seen: holdfast.At(wrong.Add(renewal)), Expires: holdfast.At(wrong.Add(renewal + time.Minute))}
	}
	start := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	var s sight
	for _, step := range []struct {
		after, renewal time.Duration
		want           verdict
	}{
		{0, 0, undecided},
		{59 * time.Second, 0, undecided},
		{60 * time.Second, 0, gone},
		{10 * time.Minute, 0, gone},
		{11 * time.Minute, 9 * time.Minute, alive}, // it was only paused
		{11*time.Minute + 59*time.Second, 9 * time.Minute, alive},
		{12 * time.Minute, 9 * time.Minute, gone},
		{13 * time.Minute, time.Minute, alive}, // its clock was set back
	} {
		at := start.Add(step.after)
		if s.look(record(step.renewal), clocks{now: at, wall: at, lease: DefaultLease}); s.verdict != step.want {
			t.Errorf("after %s: %d, want %d", step.after, s.verdict, step.want)
		}
	}
}

func TestLeaseOf(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		time.Minute: time.Minute, 0: DefaultLease, -time.Hour: DefaultLease, 1000 * time.Hour: longestLease,
	} {
		i := repo.Instance{Expires: holdfast.At(time.Time{}.Add(asked))}
		if got := leaseOf(i, DefaultLease); got != want {
			t.Errorf("%s is believed as %s, want %s", asked, got, want)
		}
	}
}

// A history is taken over once: the newest settled storage holds all before it.
func TestState_Inherit(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 11, 22, hour, 0, 0, 0, time.UTC) }
	now := holdfast.At(at(12))
	s := state{fresh: true, me: record{Starts: 1, Open: true, Since: now}}
	s.inherit([]repo.Instance{
		{Starts: 100, Kept: 50, Wiped: 20, Modified: at(3), Since: holdfast.At(at(3))},
		{Starts: 1, Open: true, Modified: at(7), Since: holdfast.At(at(7))},
		{Starts: 1000, Open: true, Modified: at(2), Since: holdfast.At(at(2))},
		{Starts: 5, Kept: 3, Wiped: 1, Modified: at(6), Since: holdfast.At(at(5))},
	}, now)
	if s.me.Starts != 7 || s.me.Kept != 3 || s.me.Wiped != 3 || s.me.Since != holdfast.At(at(5)) || s.me.Open || !s.wiped || *s.me.LastWiped != now {
		t.Errorf("inherited %+v", s.me)
	}
}
