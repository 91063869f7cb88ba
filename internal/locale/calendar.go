package locale

import (
	"strconv"
	"time"
)

// buddhistEra is how many years the Thai calendar counts more than the Gregorian one;
// since 1941 both begin their years on the same day.
const buddhistEra = 543

// A civil date is a day in the calendar of a reader.
type civil struct{ year, month, day int }

// civil gives the day of a time in the reader's calendar.
func (l *Locale) civil(t time.Time) civil {
	y, m, d := t.Date()
	switch l.lang {
	case Thai:
		return civil{y + buddhistEra, int(m), d}
	case Persian:
		return jalali(y, m, d)
	}
	return civil{y, int(m), d}
}

// Date writes the day of a time: 22 November 2026, 22 พฤศจิกายน 2569, ۱ آذر ۱۴۰۵.
func (l *Locale) Date(t time.Time, zone *time.Location) string {
	c := l.civil(t.In(zone))
	return l.T("date", "day", l.plain(c.day), "month", l.month("month", c.month), "year", l.plain(c.year))
}

// ShortDate writes the day of a time where the year is known: 22 Nov, 22 พ.ย., ۱ آذر.
func (l *Locale) ShortDate(t time.Time, zone *time.Location) string {
	c := l.civil(t.In(zone))
	return l.T("date.short", "day", l.plain(c.day), "month", l.month("month.short", c.month))
}

// Day writes the day of a time with its name in the week: Sunday, 22 November 2026.
func (l *Locale) Day(t time.Time, zone *time.Location) string {
	return l.T("date.weekday", "weekday", Said(l.Weekday(t.In(zone).Weekday())), "date", Said(l.Date(t, zone)))
}

// DateTime writes a time to the minute: 22 November 2026, 16:30.
func (l *Locale) DateTime(t time.Time, zone *time.Location) string {
	return l.T("date.time", "date", Said(l.Date(t, zone)), "time", Said(l.Time(t, zone)))
}

// Time writes the time of day: 16:30, 16:30 น., ۱۶:۳۰.
func (l *Locale) Time(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	return l.T("time", "clock", Said(l.digits(twoDigits[t.Hour()]+":"+twoDigits[t.Minute()])))
}

// Weekday is the name of a day of the week.
func (l *Locale) Weekday(d time.Weekday) string { return l.T("weekday." + strconv.Itoa(int(d))) }

// FirstWeekday is the day with which weeks begin on the reader's calendars.
func (l *Locale) FirstWeekday() time.Weekday {
	switch l.lang {
	case Persian:
		return time.Saturday
	case Thai:
		return time.Sunday
	}
	return time.Monday
}

// ISO writes a time for machines, and for people who compare: 2026-11-22T09:30:00Z.
func (l *Locale) ISO(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ISODate writes a day for machines: 2026-11-22.
func (l *Locale) ISODate(t time.Time, zone *time.Location) string {
	return t.In(zone).Format(time.DateOnly)
}

// month is the name of a month of the reader's calendar.
func (l *Locale) month(group string, month int) Said {
	return Said(l.T(group + "." + strconv.Itoa(month)))
}

// plain writes a number that is not counted with, such as a year.
func (l *Locale) plain(n int) Said { return Said(l.digits(strconv.Itoa(n))) }
