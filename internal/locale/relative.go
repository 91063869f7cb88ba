package locale

import "time"

// The lengths beyond which a longer unit is used, of years as calendars have them.
const (
	week  = 7 * day
	month = 365 * day / 12
	year  = 365 * day
)

// distances are the units of a distance in time: from which length on each is used, and
// the ids of its words.
var distances = []struct {
	from, unit time.Duration
	id         string
}{
	{2 * year, year, "years"},
	{2 * month, month, "months"},
	{3 * week, week, "weeks"},
	{day, day, "days"},
	{time.Hour, time.Hour, "hours"},
	{time.Minute, time.Minute, "minutes"},
}

// Ago tells how long before now a time was: 12 minutes ago. What has not come yet is
// told as [Locale.Until] does. Units are rounded down, as people count what is over. A
// whole day ago is yesterday, if it was that by the calendar of now's location.
func (l *Locale) Ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case d <= -time.Minute:
		return l.Until(t, now)
	case d >= day && sameDay(t.In(now.Location()), now.AddDate(0, 0, -1)):
		return l.T("ago.yesterday")
	default:
		return l.distance("ago", d)
	}
}

// sameDay tells whether two times of one location are of one day.
func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// Until tells how long from now a time is: in 3 hours. What is over is told to be due.
// Units are rounded to the nearest, as people count what is to come.
func (l *Locale) Until(t, now time.Time) string {
	d := t.Sub(now)
	if d <= 0 {
		return l.T("until.due")
	}
	for _, u := range distances {
		if r := d.Round(u.unit); r >= u.from {
			d = r
			break
		}
	}
	return l.distance("until", d)
}

func (l *Locale) distance(way string, d time.Duration) string {
	for _, u := range distances {
		if d >= u.from {
			return l.N(way+"."+u.id, int64(d/u.unit))
		}
	}
	return l.T(way + ".now")
}
