package locale

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"
)

// The table is what the Intl of a browser writes; see testdata/dates.js.
func TestDate_AgreesWithBrowsers(t *testing.T) {
	f, err := os.Open("testdata/dates.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	days := 0
	for s := bufio.NewScanner(f); s.Scan(); days++ {
		cells := strings.Split(s.Text(), "\t")
		day, err := time.Parse(time.DateOnly, cells[0])
		if err != nil || len(cells) != 4 {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		for i, lang := range Languages() {
			if got := Of(lang).Date(day.Add(12*time.Hour), time.UTC); got != cells[i+1] {
				t.Errorf("%s in %s: got %s, want %s", cells[0], lang, got, cells[i+1])
			}
		}
	}
	if days < 600 {
		t.Errorf("the table has %d days", days)
	}
}

// gregorian gives the day of a Jalali date, counted from 1970-01-01, by adding up months.
func gregorian(c civil) int {
	n := nowruz(c.year) + c.day - 1
	for m := 1; m < c.month; m++ {
		n += jalaliMonth(c.year, m)
	}
	return n
}

// jalaliMonth is how many days a month has: Esfand has a thirtieth in leap years.
func jalaliMonth(year, month int) int {
	switch {
	case month <= 6:
		return 31
	case month <= 11 || nowruz(year+1)-nowruz(year) == 366:
		return 30
	}
	return 29
}

// Every day from 1904 to 2100 is the day after the one before it, and no other.
func TestJalali_GoesThroughEveryDay(t *testing.T) {
	want := jalali(1904, time.January, 1)
	for day := time.Date(1904, time.January, 1, 0, 0, 0, 0, time.UTC); day.Year() <= 2100; day = day.AddDate(0, 0, 1) {
		got := jalali(day.Date())
		if got != want {
			t.Fatalf("%s: got %v, want %v", day.Format(time.DateOnly), got, want)
		}
		if back := gregorian(got); back != daysOf(day.Date()) {
			t.Fatalf("%s: %v comes back as day %d", day.Format(time.DateOnly), got, back)
		}
		if want.day++; want.day > jalaliMonth(want.year, want.month) {
			want.day = 1
			if want.month++; want.month > 12 {
				want.month, want.year = 1, want.year+1
			}
		}
	}
}

func TestJalali_LeapYears(t *testing.T) {
	leap := map[int]bool{}
	for _, y := range []int{1370, 1375, 1379, 1383, 1387, 1391, 1395, 1399, 1403, 1408, 1412} {
		leap[y] = true
	}
	for y := 1370; y <= 1412; y++ {
		if got := nowruz(y+1)-nowruz(y) == 366; got != leap[y] {
			t.Errorf("%d: leap is %v", y, got)
		}
	}
}

// A moment is another day, and another year, depending on where its reader is.
func TestDate_IsThatOfTheReadersZone(t *testing.T) {
	moment := time.Date(2026, time.March, 20, 20, 30, 0, 0, time.UTC)
	for zone, want := range map[string]string{
		"UTC":              "۲۹ اسفند ۱۴۰۴، ساعت ۲۰:۳۰",
		"Asia/Tehran":      "۱ فروردین ۱۴۰۵، ساعت ۰۰:۰۰",
		"Asia/Bangkok":     "۱ فروردین ۱۴۰۵، ساعت ۰۳:۳۰",
		"America/New_York": "۲۹ اسفند ۱۴۰۴، ساعت ۱۶:۳۰",
	} {
		z, ok := Zone(zone)
		if !ok {
			t.Fatalf("%s is not known", zone)
		}
		if got := Of(Persian).DateTime(moment, z); got != want {
			t.Errorf("%s: got %s, want %s", zone, got, want)
		}
	}
}

func TestDate_Forms(t *testing.T) {
	bangkok, _ := Zone("Asia/Bangkok")
	moment := time.Date(2026, time.November, 22, 9, 30, 0, 0, time.UTC)
	for lang, want := range map[Lang][5]string{
		English: {"22 November 2026", "22 Nov", "Sunday, 22 November 2026", "22 November 2026, 16:30", "16:30"},
		Thai:    {"22 พฤศจิกายน 2569", "22 พ.ย.", "วันอาทิตย์ที่ 22 พฤศจิกายน 2569", "22 พฤศจิกายน 2569 เวลา 16:30 น.", "16:30 น."},
		Persian: {"۱ آذر ۱۴۰۵", "۱ آذر", "یکشنبه ۱ آذر ۱۴۰۵", "۱ آذر ۱۴۰۵، ساعت ۱۶:۳۰", "۱۶:۳۰"},
	} {
		l := Of(lang)
		got := [5]string{l.Date(moment, bangkok), l.ShortDate(moment, bangkok), l.Day(moment, bangkok), l.DateTime(moment, bangkok), l.Time(moment, bangkok)}
		if got != want {
			t.Errorf("%s: got %q, want %q", lang, got, want)
		}
		if l.ISO(moment.In(bangkok)) != "2026-11-22T09:30:00Z" || l.ISODate(moment.Add(8*time.Hour), bangkok) != "2026-11-23" {
			t.Errorf("%s: %s, %s", lang, l.ISO(moment), l.ISODate(moment, bangkok))
		}
	}
}

func TestWeekday_WeeksBeginWhereReadersBeginThem(t *testing.T) {
	for lang, want := range map[Lang]string{English: "Monday", Thai: "วันอาทิตย์", Persian: "شنبه"} {
		if l := Of(lang); l.Weekday(l.FirstWeekday()) != want {
			t.Errorf("%s: %s", lang, l.Weekday(l.FirstWeekday()))
		}
	}
}

func TestZone_KnowsTheListAndNothingElse(t *testing.T) {
	for _, name := range []string{"", "Local", "Mars/Olympus", "../etc/passwd", "/etc/localtime", strings.Repeat("A/", 100)} {
		if z, ok := Zone(name); ok {
			t.Errorf("%q is %v", name, z)
		}
	}
	for name, want := range map[string]int{"Asia/Bangkok": 7 * 3600, "Asia/Tehran": 3*3600 + 1800, "Asia/Kathmandu": 5*3600 + 2700, "UTC": 0} {
		z, ok := Zone(name)
		if _, offset := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC).In(z).Zone(); !ok || offset != want {
			t.Errorf("%s: %d", name, offset)
		}
	}
}
