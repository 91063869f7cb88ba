package retention

import (
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A rank tells how much a backup counts: one of a lesser rank takes no place of
// a better one.
type rank int

const (
	wanted    rank = iota
	emergency      // undamaged, but it holds what somebody chose to replace
	damaged
	ranks
)

func (c Candidate) rank() rank {
	switch {
	case c.Damaged:
		return damaged
	case c.Trigger == holdfast.TriggerEmergency:
		return emergency
	}
	return wanted
}

// A history is the backups of one source that can be judged, as positions in
// the sorted list, newest first. Those from the future are not in it: they stay
// anyway, and must not push a real one out of its place.
type history struct {
	sorted []Candidate
	// upTo lists for each rank the backups of that rank and of better ones.
	upTo [ranks][]int
	// proven lists those that are proven and undamaged, the same way.
	proven [ranks][]int
	// ages gives for each age limit how much of the history that counts lies
	// after each backup.
	ages map[time.Duration]map[int]time.Duration
	// counted gives the backups that a rule keeps which counts them, and why.
	counted map[int]string
}

// histories tells the sources apart.
func histories(sorted []Candidate, p Policy, now time.Time) map[string]*history {
	found := map[string]*history{}
	for i, c := range sorted {
		if !c.known() || c.CreatedAt.After(now) {
			continue
		}
		for _, source := range c.sources() {
			if found[source] == nil {
				found[source] = &history{sorted: sorted, ages: map[time.Duration]map[int]time.Duration{}, counted: map[int]string{}}
			}
			found[source].add(i)
		}
	}
	for _, h := range found {
		h.measure(p.MaxAge)
		for _, limit := range p.TriggerAge {
			h.measure(limit)
		}
		h.count(p)
	}
	return found
}

func (h *history) add(i int) {
	c := h.sorted[i]
	for r := c.rank(); r < ranks; r++ {
		h.upTo[r] = append(h.upTo[r], i)
		if c.Proven && !c.Damaged {
			h.proven[r] = append(h.proven[r], i)
		}
	}
}

func (h *history) all() []int  { return h.upTo[damaged] }
func (h *history) good() []int { return h.upTo[emergency] }

// first tells whether i is the first of a list.
func first(list []int, i int) bool { return len(list) > 0 && list[0] == i }

// since is the time from which the age of c is counted back.
func (h *history) since(c Candidate) time.Time {
	if c.Damaged {
		return h.sorted[h.all()[0]].CreatedAt
	}
	return h.sorted[h.good()[0]].CreatedAt
}

// measure finds the age of each backup for one limit: of undamaged ones among
// the undamaged, of damaged ones among all.
func (h *history) measure(limit time.Duration) {
	if limit <= 0 || h.ages[limit] != nil {
		return
	}
	ages := map[int]time.Duration{}
	for _, list := range [][]int{h.all(), h.good()} { // the latter has the last word
		var age time.Duration
		for n, i := range list {
			if n > 0 {
				pause := h.sorted[list[n-1]].CreatedAt.Sub(h.sorted[i].CreatedAt)
				age += min(pause, limit/2)
			}
			ages[i] = age
		}
	}
	h.ages[limit] = ages
}

// count finds what those rules keep that count backups and periods. Each
// backup is counted among those of its rank and of better ones.
func (h *history) count(p Policy) {
	for r := range ranks {
		list := h.upTo[r]
		for _, i := range list[:min(max(p.KeepLast, 0), len(list))] {
			if h.sorted[i].rank() == r {
				h.keep(i, oneOfTheLast(p.KeepLast))
			}
		}
		for _, rule := range p.periods() {
			h.countPeriods(r, rule)
		}
	}
}

// countPeriods keeps the newest backup of each of the last periods, where the
// best that the period holds is of rank r.
func (h *history) countPeriods(r rank, rule periodRule) {
	list := h.upTo[r]
	for n := 0; n < rule.keep && len(list) > 0; n++ {
		period := rule.name(h.sorted[list[0]].CreatedAt)
		best, end := list[0], 1
		for ; end < len(list) && rule.name(h.sorted[list[end]].CreatedAt) == period; end++ {
			if h.sorted[list[end]].rank() < h.sorted[best].rank() {
				best = list[end]
			}
		}
		if h.sorted[best].rank() == r {
			h.keep(best, "the newest of "+period)
		}
		list = list[end:]
	}
}

// keep notes the first reason to keep a backup.
func (h *history) keep(i int, reason string) {
	if h.counted[i] == "" {
		h.counted[i] = reason
	}
}
