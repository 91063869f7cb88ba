// Package retention decides which backups may go. It is pure: backups, policy
// and the present time in; a decision with a reason for each out. Deciding and
// removing are apart, so that a dry run, a confirmation and a test all look at
// the same plan. Start from [Plan].
//
// # Rules
//
// A [Policy] has rules of three kinds: an age limit, the last N, and the newest
// of each of the last N hours, days, weeks, months and years. They only ever
// keep: a backup goes when none of them keeps it. Where no rule applies to a
// backup, nothing lets it go. A trigger may have an age limit of its own; all
// else holds for every backup.
//
//   - Hours, days, weeks (ISO 8601), months and years are those of UTC. Only
//     such periods count as hold a backup: a machine that was off uses up none.
//   - An emergency backup holds what somebody chose to replace. It takes no
//     other backup's place: neither among the last N, nor as the newest of a
//     period that holds a backup which somebody wanted.
//   - Nor does a damaged backup take the place of an undamaged one.
//
// # What holds whatever the policy and the clock say
//
//   - For every source: the newest backup that holds it, the newest undamaged
//     one and the last proven one stay; the latter two also without counting
//     emergency backups. A backup of some sources alone takes no place of one
//     that holds others too.
//   - Pinned backups and backups whose metadata cannot be read stay.
//   - A backup made in the future stays, and takes no other backup's place: one
//     of the two clocks was wrong, and nobody can tell which.
//   - A damaged backup never makes an undamaged one removable.
//   - Removing what a plan removes leaves nothing for a second plan to remove.
//
// A backup that others need may go like any other: they stay whole, and what
// they refer to takes its space until they are gone. Its decision says so
// (Hides).
//
// # Age
//
// Age is counted back from the newest undamaged backup of the same source, not
// from the clock on the wall: what MaxAge days mean to a person is "the last week of history".
// A pause between two backups counts as no more than half of the limit. So a clock that
// jumped a year ahead, a machine that was off for a month, or backups that have
// been failing for a while remove nothing by themselves, and the first backup
// afterwards does not end all history before: half of it waits until as much
// new history has grown. Damaged backups, which protect less, are counted back
// from the newest backup of any condition, so that a source which stays damaged
// does not fill the disk.
package retention

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Policy says which backups are kept. The zero value keeps all.
type Policy struct {
	// MaxAge keeps what is not older; zero is no such rule.
	MaxAge time.Duration
	// TriggerAge takes the place of MaxAge for the backups of some triggers.
	TriggerAge map[holdfast.Trigger]time.Duration
	// KeepLast keeps the newest backups.
	KeepLast int
	// The newest backup of each of the last so many periods stays.
	Hourly, Daily, Weekly, Monthly, Yearly int
}

// Active tells whether any rule could ever let a backup go.
func (p Policy) Active() bool {
	for _, limit := range p.TriggerAge {
		if limit > 0 {
			return true
		}
	}
	return p.MaxAge > 0 || p.counts()
}

// counts tells whether a rule counts backups or periods: these hold for every
// trigger.
func (p Policy) counts() bool {
	return max(p.KeepLast, p.Hourly, p.Daily, p.Weekly, p.Monthly, p.Yearly) > 0
}

// limit is the age limit for a trigger, and whether it is one of its own.
func (p Policy) limit(t holdfast.Trigger) (limit time.Duration, own bool) {
	if limit, own = p.TriggerAge[t]; own {
		return max(limit, 0), true
	}
	return max(p.MaxAge, 0), false
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
	// NeededBy names the backups that refer to its blocks.
	NeededBy []holdfast.BackupName
	// StoredBytes is what it takes.
	StoredBytes int64
}

// known tells whether there is anything to decide by.
func (c Candidate) known() bool { return !c.Unreadable && !c.CreatedAt.IsZero() }

// sources gives the sources by which a backup is judged; one that tells none
// is judged as if it held a nameless one.
func (c Candidate) sources() []string {
	if len(c.Sources) == 0 {
		return []string{""}
	}
	return c.Sources
}

// A Decision says whether a backup stays, and why.
type Decision struct {
	Candidate
	Remove bool
	// Reason in plain words: "older than 7 days", "pinned", "the newest of 2026-W14".
	Reason string
	// Hides tells that a backup which is removed cannot be read any more, but
	// takes its space until those that need it are gone.
	Hides bool
	// Frees is the space that removing it makes free at once.
	Frees int64
	// Held tells that it stays only because pruning is on hold.
	Held bool
}

// Plan decides for every backup, newest first.
func Plan(backups []Candidate, p Policy, now time.Time) []Decision {
	sorted := slices.Clone(backups)
	slices.SortFunc(sorted, func(a, b Candidate) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.Name, a.Name))
	})
	j := judge{sorted: sorted, policy: p, now: now, histories: histories(sorted, p, now)}
	plan := make([]Decision, len(sorted))
	for i, c := range sorted {
		remove, reason := j.decide(i)
		plan[i] = Decision{Candidate: c, Remove: remove, Reason: reason}
	}
	weigh(plan)
	return plan
}

// weigh tells of each backup that goes what becomes of its space.
func weigh(plan []Decision) {
	going := map[holdfast.BackupName]bool{}
	var unknown []holdfast.BackupName // nobody can tell what these need
	for _, d := range plan {
		going[d.Name] = d.Remove
		if d.Unreadable {
			unknown = append(unknown, d.Name)
		}
	}
	for i := range plan {
		d := &plan[i]
		if !d.Remove {
			continue
		}
		needing := slices.DeleteFunc(slices.Clone(d.NeededBy), func(n holdfast.BackupName) bool { return going[n] })
		switch {
		case len(needing) > 0:
			d.Hides = true
			d.Reason += " (its space stays as long as " + names(needing) + ")"
		case len(unknown) > 0:
			d.Hides = true
			d.Reason += " (its space stays, since " + names(unknown) + " cannot be read)"
		default:
			d.Frees = d.StoredBytes
		}
	}
}

// OnHold keeps whatever a plan would remove and says why it stays.
func OnHold(plan []Decision, why string) {
	for i := range plan {
		if d := &plan[i]; d.Remove {
			d.Remove, d.Hides, d.Frees, d.Held = false, false, 0, true
			d.Reason += ", but " + why
		}
	}
}

// A judge decides about one backup after the other.
type judge struct {
	sorted    []Candidate // newest first
	policy    Policy
	now       time.Time
	histories map[string]*history // by source
}

// decide gives the first reason that holds, the most telling first.
func (j *judge) decide(i int) (remove bool, reason string) {
	c := j.sorted[i]
	switch {
	case c.Pinned:
		return false, "pinned"
	case !c.known():
		return false, "its metadata cannot be read"
	case c.CreatedAt.After(j.now):
		return false, "made in the future: a clock was wrong"
	}
	for _, landmark := range []struct {
		reason string
		holds  func(*history) bool
	}{
		{"the newest good backup", func(h *history) bool { return first(h.good(), i) }},
		{"the newest good backup but for emergency backups", func(h *history) bool { return first(h.upTo[wanted], i) }},
		{"the newest backup", func(h *history) bool { return first(h.all(), i) }},
		{"the last proven backup", func(h *history) bool { return first(h.proven[emergency], i) }},
		{"the last proven backup but for emergency backups", func(h *history) bool { return first(h.proven[wanted], i) }},
	} {
		if of := j.holding(c, landmark.holds); len(of) > 0 {
			return false, landmark.reason + j.among(" of ", of)
		}
	}
	limit, own := j.policy.limit(c.Trigger)
	if limit == 0 && !j.policy.counts() {
		return false, "no rule lets it go"
	}
	if limit > 0 {
		if reason := j.young(i, limit); reason != "" {
			return false, reason
		}
	}
	for _, source := range c.sources() {
		if reason := j.histories[source].counted[i]; reason != "" {
			of := j.holding(c, func(h *history) bool { return h.counted[i] == reason })
			return false, reason + j.among(" for ", of)
		}
	}
	reason = "no rule keeps it"
	if limit > 0 {
		reason = "older than " + words(limit)
		if own {
			reason += ", the limit of " + string(c.Trigger) + " backups"
		}
		if j.policy.counts() {
			reason += ", and no other rule keeps it"
		}
	}
	return true, reason
}

// young gives the reason why a backup is not too old, if it is not.
func (j *judge) young(i int, limit time.Duration) string {
	c := j.sorted[i]
	if j.now.Sub(c.CreatedAt) <= limit {
		return "not older than " + words(limit)
	}
	condition := "good "
	if c.Damaged {
		condition = ""
	}
	near := func(h *history) bool { return h.since(c).Sub(c.CreatedAt) <= limit }
	if of := j.holding(c, near); len(of) > 0 {
		return fmt.Sprintf("made within %s before the newest %sbackup%s", words(limit), condition, j.among(" of ", of))
	}
	paused := func(h *history) bool { return h.ages[limit][i] <= limit }
	if of := j.holding(c, paused); len(of) > 0 {
		return fmt.Sprintf("older than %s only by a pause without %sbackups%s", words(limit), condition, j.among(" of ", of))
	}
	return ""
}

// holding gives the sources of c for which something holds.
func (j *judge) holding(c Candidate, holds func(*history) bool) []string {
	var of []string
	for _, source := range c.sources() {
		if holds(j.histories[source]) {
			of = append(of, source)
		}
	}
	return of
}

// among names the sources that a reason is about, unless they are all there
// are.
func (j *judge) among(preposition string, of []string) string {
	if len(of) == len(j.histories) {
		return ""
	}
	return preposition + strings.Join(of, ", ")
}
