package retention

import (
	"fmt"
	"time"
)

// A periodRule keeps the newest backup of each of the last periods of a kind.
type periodRule struct {
	keep int
	// name names the period that holds a time. Names of one kind differ for
	// different periods.
	name func(time.Time) string
}

// periods gives the rules of a policy that count periods, the shortest first.
func (p Policy) periods() []periodRule {
	layout := func(layout string) func(time.Time) string {
		return func(t time.Time) string { return t.UTC().Format(layout) }
	}
	return []periodRule{
		{p.Hourly, layout("2006-01-02 15h")},
		{p.Daily, layout("2006-01-02")},
		{p.Weekly, week},
		{p.Monthly, layout("2006-01")},
		{p.Yearly, layout("2006")},
	}
}

// week names the week of ISO 8601 that holds a time.
func week(t time.Time) string {
	year, w := t.UTC().ISOWeek()
	return fmt.Sprintf("%d-W%02d", year, w)
}
