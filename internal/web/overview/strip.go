package overview

import (
	"time"

	"github.com/holdfast-backup/holdfast/internal/history"
)

// stripDays is how many days the strip has.
const stripDays = 30

// lateAfter is how late the next backup may be before the day is called overdue: what is
// due is begun within moments, and may take some.
const lateAfter = 15 * time.Minute

// A Cell is one day of the strip.
type Cell struct {
	history.Day
	Kind DayKind
}

// A DayKind is what a day was like, in one word.
type DayKind string

// The kinds of days.
const (
	DayBefore  DayKind = "before"  // nothing is known of it
	DayQuiet   DayKind = "quiet"   // nothing was due, and nothing was done
	DayMade    DayKind = "made"    // backups were made, and all went well
	DayChecked DayKind = "checked" // there was nothing new to back up
	DayPartly  DayKind = "partly"  // some went well, and some did not
	DayMissed  DayKind = "missed"  // what was due did not come
	DayFailed  DayKind = "failed"  // what was tried failed
	DayOverdue DayKind = "overdue" // today, and what is due has not come yet
	DayDue     DayKind = "due"     // today, and the next backup is still to come
)

// strip makes the cells of days; next is when the next backup is due.
func strip(days []history.Day, now time.Time, next *time.Time) []Cell {
	cells := make([]Cell, 0, len(days))
	for _, d := range days {
		cells = append(cells, Cell{d, kindOf(d, now, next)})
	}
	return cells
}

func kindOf(d history.Day, now time.Time, next *time.Time) DayKind {
	good, late := d.Made+d.Unchanged > 0, next != nil && now.Sub(*next) > lateAfter
	switch {
	case d.Before:
		return DayBefore
	case good && d.Failed+d.Missed > 0:
		return DayPartly
	case d.Failed > 0:
		return DayFailed
	case d.Today && !good && (d.Missed > 0 || late):
		return DayOverdue
	case d.Missed > 0:
		return DayMissed
	case d.Made > 0:
		return DayMade
	case good:
		return DayChecked
	case d.Today && next != nil && dueToday(*next, now):
		return DayDue
	}
	return DayQuiet
}

// dueToday tells whether what comes next falls on the day of the reader's now, or has come
// already.
func dueToday(next, now time.Time) bool {
	y, m, d := now.Date()
	return next.Before(time.Date(y, m, d+1, 0, 0, 0, 0, now.Location()))
}

// icons are the shapes of the days, for whoever does not see their colours.
var icons = map[DayKind]string{
	DayBefore: "", DayQuiet: "", DayMade: "check", DayChecked: "eye", DayPartly: "triangle-alert",
	DayMissed: "minus", DayFailed: "x", DayOverdue: "clock", DayDue: "hourglass",
}

// legend is the order in which the kinds are explained.
var legend = []DayKind{DayMade, DayChecked, DayPartly, DayMissed, DayFailed, DayOverdue, DayDue, DayQuiet}

// kinds are those of the legend that there are.
func kinds(cells []Cell) []DayKind {
	there := map[DayKind]bool{}
	for _, c := range cells {
		there[c.Kind] = true
	}
	var out []DayKind
	for _, k := range legend {
		if there[k] {
			out = append(out, k)
		}
	}
	return out
}
