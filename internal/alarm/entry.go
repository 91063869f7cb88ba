package alarm

import (
	"cmp"
	"time"

	"github.com/holdfast-backup/holdfast"
)

const (
	// quietTime is the least time between two messages about one alarm.
	quietTime = time.Hour
	// firstRetry and mostRetry are how long after a message that reached nobody
	// it is tried again: twice as long each time.
	firstRetry = 30 * time.Second
	mostRetry  = time.Hour
	// forget is how long the end of an alarm is kept that nobody could be told.
	forget = 7 * 24 * time.Hour
)

// An entry is what is remembered of one alarm, from when its condition is first
// seen until its end has been told and an hour is over.
type entry struct {
	Alarm Alarm `json:"alarm"`
	// Present: the condition is there, since Seen; it stands once that is long
	// enough ago.
	Present bool          `json:"present"`
	Seen    holdfast.Time `json:"seen"`
	Stands  bool          `json:"stands"`
	// Ended is when it last stood, if it does not now.
	Ended *holdfast.Time `json:"ended,omitempty"`
	// Known: who is told believes that it stands. Missed: it began to stand, and
	// nobody was told.
	Known  bool `json:"known"`
	Missed bool `json:"missed"`
	// TriedAt and Tries are about a message that has reached nobody yet.
	TriedAt *holdfast.Time `json:"tried_at,omitempty"`
	Tries   int            `json:"tries,omitempty"`
}

// appear notes that the condition is there.
func (e *entry) appear(c Condition, now holdfast.Time) {
	e.mend(now)
	if !e.Present {
		e.Present, e.Seen = true, now
	}
	e.Alarm.Message, e.Alarm.Hint, e.Alarm.Severity = c.Message, c.Hint, cmp.Or(c.Severity, holdfast.Warning)
	if e.Stands || now.Sub(e.Seen.Time) < c.Grace {
		return
	}
	e.Stands, e.Ended = true, nil
	if e.Known {
		e.Alarm.Returned++
		return // for those who are told it never ended
	}
	e.Missed = true
	e.Alarm.Since = c.Since
	if c.Since.IsZero() || c.Since.After(now.Time) {
		e.Alarm.Since = e.Seen
	}
}

// vanish notes that the condition is not there.
func (e *entry) vanish(now holdfast.Time) {
	e.mend(now)
	e.Present = false
	if e.Stands {
		e.Stands, e.Ended = false, &now
	}
}

// mend brings back moments that lie ahead because the clock was set back: they
// would hold everything until then.
func (e *entry) mend(now holdfast.Time) {
	for _, t := range []*holdfast.Time{&e.Seen, e.Ended, e.Alarm.ToldAt, e.TriedAt} {
		if t != nil && t.After(now.Time) {
			*t = now
		}
	}
}

// over tells that nothing is left to be remembered.
func (e *entry) over(now holdfast.Time, told bool) bool {
	switch {
	case e.Present || e.Stands:
		return false
	case e.Ended == nil || !told || now.Sub(e.Ended.Time) > forget:
		return true
	}
	return !e.Known && !e.Missed && !e.recent(now)
}

// recent tells whether it was told within the quiet time.
func (e *entry) recent(now holdfast.Time) bool {
	return e.Alarm.ToldAt != nil && now.Sub(e.Alarm.ToldAt.Time) < quietTime
}

// resting tells whether a message that reached nobody is not to be tried yet.
func (e *entry) resting(now holdfast.Time) bool {
	if e.TriedAt == nil {
		return false
	}
	pause := firstRetry << min(e.Tries-1, 10)
	return now.Sub(e.TriedAt.Time) < min(pause, mostRetry)
}

// trying notes that it is about to be told.
func (e *entry) trying(now holdfast.Time) {
	e.TriedAt = &now
	e.Tries++
}

// told notes that somebody knows all there is.
func (e *entry) told(now holdfast.Time) {
	e.Alarm.ToldAt, e.Known, e.Missed, e.Alarm.Returned = &now, e.Stands, false, 0
	e.TriedAt, e.Tries = nil, 0
}

// news are the alarms of which something is due to be told.
type news struct {
	begun  []*entry // they stand, and nobody knows
	still  []*entry // they go on
	over   []*entry // they ended
	missed []*entry // they stood for a while of which nobody knew
}

// told is the same without what is remembered.
func (n news) told() []News {
	var all []News
	for _, part := range []struct {
		turn    Turn
		entries []*entry
	}{{Begun, n.begun}, {Still, n.still}, {Over, n.over}, {Missed, n.missed}} {
		for _, e := range part.entries {
			one := News{Alarm: e.Alarm, Turn: part.turn}
			if part.turn == Over || part.turn == Missed {
				one.EndedAt = e.Ended
			}
			all = append(all, one)
		}
	}
	return all
}

func (n news) all() []*entry {
	var all []*entry
	for _, part := range [][]*entry{n.begun, n.still, n.over, n.missed} {
		all = append(all, part...)
	}
	return all
}

// due gives what is to be told now.
func (b *Board) due(now holdfast.Time) news {
	var n news
	for _, e := range b.entries {
		switch {
		case !b.tells(e) || e.recent(now) || e.resting(now):
		case e.Stands && !e.Known:
			n.begun = append(n.begun, e)
		case e.Stands && now.Sub(e.Alarm.ToldAt.Time) >= b.o.Repeat:
			n.still = append(n.still, e)
		case e.Stands:
		case e.Known:
			n.over = append(n.over, e)
		case e.Missed:
			n.missed = append(n.missed, e)
		}
	}
	return n
}
