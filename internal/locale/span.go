package locale

import "time"

// The unit of a day in durations; calendars have days of other lengths.
const day = 24 * time.Hour

// units are those of durations, the largest first, with the ids of their words.
var units = []struct {
	length time.Duration
	id     string
}{
	{day, "span.days"},
	{time.Hour, "span.hours"},
	{time.Minute, "span.minutes"},
	{time.Second, "span.seconds"},
}

// Duration writes how long something took or may take, in the two largest units that it
// has: 2 minutes 5 seconds, 0.8 seconds, 120 milliseconds.
func (l *Locale) Duration(d time.Duration) string {
	if d < 0 {
		return "−" + l.Duration(-d)
	}
	switch {
	case d < 100*time.Millisecond:
		return l.N("span.milliseconds", d.Milliseconds())
	case d < 10*time.Second && d%time.Second != 0:
		if d = d.Round(100 * time.Millisecond); d%time.Second != 0 {
			return l.T("span.seconds.part", "n", Said(l.Decimal(d.Seconds(), 1)))
		}
	}
	switch d = d.Round(time.Second); {
	case d >= day:
		d = d.Round(time.Hour)
	case d >= time.Hour:
		d = d.Round(time.Minute)
	}
	for i, u := range units {
		if d < u.length {
			continue
		}
		first := l.N(u.id, int64(d/u.length))
		if rest := d % u.length; rest > 0 && i+1 < len(units) {
			if n := int64(rest / units[i+1].length); n > 0 {
				return l.T("span.two", "first", Said(first), "second", Said(l.N(units[i+1].id, n)))
			}
		}
		return first
	}
	return l.N("span.milliseconds", d.Milliseconds())
}
