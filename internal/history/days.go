package history

import "time"

// A Day is what happened within one day of a reader.
type Day struct {
	// Start is the first moment of the day in the reader's zone, End that of the next.
	Start, End time.Time

	Made, Unchanged, Failed, Missed      int64
	Proven, Drilled, Disproven, Restored int64
	// Size is the last that is known of the day; nil: it did not change.
	Size *Size
	// Before tells that nothing can be known of it: the record had not begun, and no backup of
	// that time was left.
	Before bool
	// Today tells that it is not over.
	Today bool
}

// Days folds the log into the last n days of a zone, the oldest first; the last one is
// today. A day is as long as the zone has it: 23 or 25 hours when the clocks are changed.
// Where a zone is not half hours away from UTC, what happened within a quarter of an hour
// of midnight may count to the day beside.
func (l Log) Days(now time.Time, zone *time.Location, n int) []Day {
	now = now.In(zone)
	days := make([]Day, 0, n)
	for back := n - 1; back >= 0; back-- {
		d := Day{Start: midnight(now, -back), End: midnight(now, 1-back), Today: back == 0}
		days = append(days, d)
	}
	if n == 0 {
		return days
	}
	first := l.Since.Time
	at := 0
	for i := range l.Buckets {
		b := &l.Buckets[i]
		if first.IsZero() || b.Start.Before(first) {
			first = b.Start.Time
		}
		for at < n-1 && !b.Start.Before(days[at].End) {
			at++
		}
		if b.Start.Before(days[at].Start) || !b.Start.Before(days[at].End) {
			continue
		}
		days[at].add(b)
	}
	for i := range days {
		days[i].Before = first.IsZero() || !first.Before(days[i].End)
	}
	return days
}

// add takes in what happened.
func (d *Day) add(b *Bucket) {
	d.Made += b.Backups()
	d.Unchanged += b.Unchanged
	d.Failed += b.Failed
	d.Missed += b.Missed
	d.Proven += b.Proven
	d.Drilled += b.Drilled
	d.Disproven += b.Disproven
	d.Restored += b.Restored
	if b.Size != nil {
		d.Size = b.Size
	}
}

// midnight is the first moment of the day that is so many days after that of a time. Where
// clocks are set forward at midnight, the day begins later.
func midnight(t time.Time, days int) time.Time {
	year, month, day := t.Date()
	at := time.Date(year, month, day+days, 0, 0, 0, 0, t.Location())
	if at.Day() != time.Date(year, month, day+days, 12, 0, 0, 0, time.UTC).Day() {
		at = time.Date(year, month, day+days, 1, 0, 0, 0, t.Location())
	}
	return at
}
