// Package retention decides which backups may go. It is pure: backups, policy
// and the present time in; a decision with a reason for each out. Deciding and
// removing are apart, so that a dry run, a confirmation and a test all look at
// the same plan.
//
// What [Plan] promises, whatever the clock and the policy say:
//
//   - For every source: the newest backup that holds it, the newest undamaged
//     one and the last proven one stay. A backup of some sources alone (an
//     emergency backup, say) takes no place of one that holds others too.
//   - Pinned backups, backups that others need and backups whose metadata cannot
//     be read stay.
//   - A backup made in the future stays, and takes no other backup's place: one
//     of the two clocks was wrong, and nobody can tell which.
//   - A damaged backup never makes an undamaged one removable.
//
// Age is counted back from the newest undamaged backup of the same source, not
// from the clock on the wall: what MaxAge days mean to a person is "the last week of history".
// A clock that jumped a year forward, a machine that was off for a month, or
// backups that have been failing for a while therefore remove nothing; only a
// newer good backup makes an old one superfluous. Damaged backups, which
// protect less, are counted back from the newest backup of any condition, so
// that a source which stays damaged does not fill the disk.
package retention

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Policy says how long backups are kept.
type Policy struct {
	// MaxAge lets backups go that are older; zero keeps all.
	MaxAge time.Duration
}

// A Candidate is a backup as retention sees it.
type Candidate struct {
	Name      holdfast.BackupName
	CreatedAt time.Time // zero if unknown: such a backup stays
	Trigger   holdfast.Trigger
	Sources   []string // the names of the sources that it holds
	Pinned    bool
	Proven    bool // its newest proof passed
	Damaged   bool // the captured source was damaged, or its metadata is unreadable
	// Unreadable tells that the metadata cannot be used: damaged, or of a
	// newer format. Such a backup stays.
	Unreadable bool
	NeededBy   []holdfast.BackupName
}

// known tells whether there is anything to decide by.
func (c Candidate) known() bool { return !c.Unreadable && !c.CreatedAt.IsZero() }

// A Decision says whether a backup stays, and why.
type Decision struct {
	Candidate
	Remove bool
	// Reason in plain words: "older than 7 days", "pinned", "the last proven backup".
	Reason string
}

// Plan decides for every backup, newest first.
func Plan(backups []Candidate, p Policy, now time.Time) []Decision {
	sorted := slices.Clone(backups)
	slices.SortFunc(sorted, func(a, b Candidate) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.Name, a.Name))
	})
	bySource := findLandmarks(sorted, now)
	decisions := make([]Decision, len(sorted))
	for i, c := range sorted {
		remove, reason := decide(i, c, bySource, p, now)
		decisions[i] = Decision{Candidate: c, Remove: remove, Reason: reason}
	}
	return decisions
}

// sources gives the sources by which a backup is judged; one that tells none
// is judged as if it held a nameless one.
func (c Candidate) sources() []string {
	if len(c.Sources) == 0 {
		return []string{""}
	}
	return c.Sources
}

// landmarks are the positions of the backups of one source that must stay; -1
// is none. Backups from the future are not looked at: they stay anyway, and
// must not push a real one out of its place.
type landmarks struct {
	newest, good, proven int
	newestAt, goodAt     time.Time
}

func findLandmarks(sorted []Candidate, now time.Time) map[string]*landmarks {
	found := map[string]*landmarks{}
	for i, c := range sorted {
		if !c.known() || c.CreatedAt.After(now) {
			continue
		}
		for _, source := range c.sources() {
			l := found[source]
			if l == nil {
				l = &landmarks{newest: i, newestAt: c.CreatedAt, good: -1, proven: -1}
				found[source] = l
			}
			if c.Damaged {
				continue
			}
			if l.good < 0 {
				l.good, l.goodAt = i, c.CreatedAt
			}
			if l.proven < 0 && c.Proven {
				l.proven = i
			}
		}
	}
	return found
}

// decide gives the first reason that holds, the most telling first.
func decide(i int, c Candidate, bySource map[string]*landmarks, p Policy, now time.Time) (remove bool, reason string) {
	switch {
	case c.Pinned:
		return false, "pinned"
	case !c.known():
		return false, "its metadata cannot be read"
	case c.CreatedAt.After(now):
		return false, "made in the future: a clock was wrong"
	case len(c.NeededBy) > 0:
		return false, "needed by " + names(c.NeededBy)
	}
	for _, landmark := range []struct {
		reason string
		holds  func(*landmarks) bool
	}{
		{"the newest good backup", func(l *landmarks) bool { return i == l.good }},
		{"the newest backup", func(l *landmarks) bool { return i == l.newest }},
		{"the last proven backup", func(l *landmarks) bool { return i == l.proven }},
	} {
		if of := c.holding(bySource, landmark.holds); len(of) > 0 {
			return false, landmark.reason + among(of, bySource)
		}
	}
	recent := func(l *landmarks) bool {
		if c.Damaged {
			return l.newestAt.Sub(c.CreatedAt) <= p.MaxAge
		}
		return l.goodAt.Sub(c.CreatedAt) <= p.MaxAge
	}
	switch {
	case p.MaxAge <= 0:
		return false, "no age limit is set"
	case now.Sub(c.CreatedAt) <= p.MaxAge:
		return false, "not older than " + words(p.MaxAge)
	}
	if of := c.holding(bySource, recent); len(of) > 0 {
		condition := "good "
		if c.Damaged {
			condition = ""
		}
		return false, fmt.Sprintf("made within %s before the newest %sbackup%s", words(p.MaxAge), condition, among(of, bySource))
	}
	return true, "older than " + words(p.MaxAge)
}

// holding gives the sources of c for which something holds.
func (c Candidate) holding(bySource map[string]*landmarks, holds func(*landmarks) bool) []string {
	var of []string
	for _, source := range c.sources() {
		if holds(bySource[source]) {
			of = append(of, source)
		}
	}
	return of
}

// among names the sources that a reason is about, unless they are all there
// are.
func among(of []string, bySource map[string]*landmarks) string {
	if len(of) == len(bySource) {
		return ""
	}
	return " of " + strings.Join(of, ", ")
}

// names gives the first name and counts the rest.
func names(all []holdfast.BackupName) string {
	if n := len(all) - 1; n > 0 {
		return fmt.Sprintf("%s and %d more", all[0], n)
	}
	return string(all[0])
}

// words gives a duration in the largest unit that fits it evenly.
func words(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		switch {
		case d == u.size:
			return "1 " + u.name
		case d >= u.size && d%u.size == 0:
			return fmt.Sprintf("%d %ss", d/u.size, u.name)
		}
	}
	return d.String()
}
