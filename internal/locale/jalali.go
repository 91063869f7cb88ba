package locale

import "time"

// The Jalali (Solar Hijri) calendar. Its year begins at Nowruz, the day of the spring
// equinox in Tehran, so that its leap years follow the sun and no short rule. From 1800
// to 2123 the sun and the rule of 33 years, 8 of them leap, agree on every day.

// nowruzEpoch is the day of Nowruz of the year 1 by the rule of 33 years, counted from
// 1970-01-01: the day on which year y begins is nowruzEpoch + 365(y-1) + leapsBefore(y).
const nowruzEpoch = -492_268

// jalali gives the Jalali date of a Gregorian one.
func jalali(y int, m time.Month, d int) civil {
	days := daysOf(y, m, d)
	year := y - 621
	if days < nowruz(year) {
		year--
	}
	n := days - nowruz(year)
	if n < 6*31 {
		return civil{year, n/31 + 1, n%31 + 1}
	}
	n -= 6 * 31
	return civil{year, n/30 + 7, n%30 + 1}
}

// nowruz is the day on which a Jalali year begins, counted from 1970-01-01.
func nowruz(year int) int { return nowruzEpoch + 365*(year-1) + leapsBefore(year) }

// leapsBefore counts the leap years before a year since the year 1, by the rule of 33
// years: the 1st, 5th, 9th, 13th, 17th, 22nd, 26th and 30th of each are leap.
func leapsBefore(year int) int { return (8*year + 21) / 33 }

// daysOf counts the days of a Gregorian date from 1970-01-01.
func daysOf(y int, m time.Month, d int) int {
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / int64(day/time.Second))
}
