package backups

import (
	"net/url"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// perPage is how many backups a page shows.
const perPage = report.DefaultLimit

// A Filter is what the address of the list asks for, as it was written.
type Filter struct {
	Text, Type, Trigger, Source       string
	Proven, Drilled, Pinned, Problems string // true, false or empty
	Since, Until                      string // days of the reader
	Sort, After                       string
}

// fields are the filters by their names in the address.
func (f *Filter) fields() map[string]*string {
	return map[string]*string{
		"q": &f.Text, "type": &f.Type, "trigger": &f.Trigger, "source": &f.Source, "proven": &f.Proven, "drilled": &f.Drilled,
		"pinned": &f.Pinned, "problems": &f.Problems, "since": &f.Since, "until": &f.Until, "sort": &f.Sort, "after": &f.After,
	}
}

// filterOf reads an address. What makes no sense in it is left out: such an address was
// typed or has aged, and a list is better than a failure.
func filterOf(q url.Values) Filter {
	var f Filter
	for name, field := range f.fields() {
		*field = q.Get(name)
	}
	allowed := func(field *string, values ...string) {
		for _, v := range values {
			if *field == v {
				return
			}
		}
		*field = ""
	}
	for _, field := range []*string{&f.Proven, &f.Drilled, &f.Pinned, &f.Problems} {
		allowed(field, "true", "false")
	}
	allowed(&f.Type, string(holdfast.Enhanced), string(holdfast.Standard))
	allowed(&f.Trigger, triggers...)
	allowed(&f.Sort, report.SortOldest, report.SortName, report.SortSize)
	for _, field := range []*string{&f.Since, &f.Until} {
		if _, err := time.Parse(time.DateOnly, *field); err != nil {
			*field = ""
		}
	}
	return f
}

// triggers are what backups are made for, in the order of the choice.
var triggers = []string{
	string(holdfast.TriggerManual), string(holdfast.TriggerQuick), string(holdfast.TriggerAuto), string(holdfast.TriggerScheduled),
	string(holdfast.TriggerChange), string(holdfast.TriggerStartup), string(holdfast.TriggerShutdown), string(holdfast.TriggerEmergency), string(holdfast.TriggerGuard),
}

// query is what the list is asked for. The days are those of the reader, Until among
// them.
func (f Filter) query(zone *time.Location) report.Query {
	day := func(text string, plus int) time.Time {
		at, err := time.ParseInLocation(time.DateOnly, text, zone)
		if err != nil {
			return time.Time{}
		}
		return at.AddDate(0, 0, plus)
	}
	is := func(word string) *bool {
		if word == "" {
			return nil
		}
		return new(word == "true")
	}
	return report.Query{
		Text: f.Text, Type: holdfast.Type(f.Type), Trigger: holdfast.Trigger(f.Trigger), Source: f.Source,
		Proven: is(f.Proven), Drilled: is(f.Drilled), Pinned: is(f.Pinned), Problems: is(f.Problems),
		Since: day(f.Since, 0), Until: day(f.Until, 1), Sort: f.Sort, After: f.After, Limit: perPage,
	}
}

// Path is the address of the list with this filter, at some page.
func (f Filter) Path(after string) string {
	f.After = after
	q := url.Values{}
	for name, field := range f.fields() {
		if *field != "" {
			q.Set(name, *field)
		}
	}
	if len(q) == 0 {
		return root
	}
	return root + "?" + q.Encode()
}

// sorted is the address of the first page in another order.
func (f Filter) sorted(order string) string {
	f.Sort = order
	return f.Path("")
}

// Narrow tells whether fewer than all backups are asked for; Folded, whether one of the
// filters is set that most readers do not need.
func (f Filter) Narrow() bool { return f.Text != "" || f.Folded() }

// Folded tells whether a filter beside the words is set.
func (f Filter) Folded() bool {
	f.Text, f.Sort, f.After = "", "", ""
	return f != Filter{}
}
