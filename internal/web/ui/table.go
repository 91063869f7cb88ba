package ui

import "github.com/holdfast-backup/holdfast/internal/locale"

// A Column is the head of a column of a table.
type Column struct {
	Label  string
	Num    bool   // numbers, to be compared
	Hidden bool   // its name is heard, not seen
	Class  string // one more class
	Href   string // of the page sorted by it, or the other way round
	Sorted string // ascending, descending, none or empty, as aria-sort has it
}

// A Tab leads to one of the pages of a thing.
type Tab struct {
	Label, Href string
	Current     bool
}

// A PagerModel is where in a list a page is. A list that is read from a cursor knows
// no From: zero leaves it out.
type PagerModel struct {
	From, To, Total int64
	Prev, Next      string // addresses; empty at the ends
}

func pagerText(p Page, m PagerModel) string {
	if m.From == 0 {
		return p.L.N("frame.total", m.Total)
	}
	return p.L.T("frame.range", "from", locale.Said(p.L.Number(m.From)), "to", locale.Said(p.L.Number(m.To)), "total", locale.Said(p.L.Number(m.Total)))
}
