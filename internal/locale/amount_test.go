package locale

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestNumber_HasTheMarksAndDigitsOfTheLanguage(t *testing.T) {
	for n, want := range map[int64][3]string{
		0:             {"0", "0", "۰"},
		999:           {"999", "999", "۹۹۹"},
		1000:          {"1,000", "1,000", "۱٬۰۰۰"},
		-1234567:      {"-1,234,567", "-1,234,567", "-۱٬۲۳۴٬۵۶۷"},
		math.MinInt64: {"-9,223,372,036,854,775,808", "-9,223,372,036,854,775,808", "-۹٬۲۲۳٬۳۷۲٬۰۳۶٬۸۵۴٬۷۷۵٬۸۰۸"},
	} {
		for i, lang := range Languages() {
			if got := Of(lang).Number(n); got != want[i] {
				t.Errorf("%d in %s: got %s, want %s", n, lang, got, want[i])
			}
		}
	}
}

func TestPercent_HundredIsOnlyWhatIsComplete(t *testing.T) {
	for _, c := range []struct {
		part, whole int64
		want        string
	}{{0, 10, "0%"}, {999, 1000, "99%"}, {1000, 1000, "100%"}, {2, 1, "100%"}, {-1, 5, "0%"}, {0, 0, "100%"}, {math.MaxInt64 / 2, math.MaxInt64, "50%"}} {
		if got := Of(English).Percent(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d: got %s, want %s", c.part, c.whole, got, c.want)
		}
	}
	if got := Of(Persian).Percent(42, 100); got != "۴۲٪" {
		t.Error(got)
	}
}

// Sizes are compared, also with those of the command line: they are the same everywhere.
func TestBytes_AreTheSameInEveryLanguage(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 4096: "4.0 KiB", 12345678: "12 MiB", -1: "?"} {
		for _, lang := range Languages() {
			if got := Of(lang).Bytes(n); got != want {
				t.Errorf("%d in %s: got %s, want %s", n, lang, got, want)
			}
		}
	}
}

func TestDuration_TwoUnitsAtMost(t *testing.T) {
	for d, want := range map[time.Duration][3]string{
		0:                                       {"0 milliseconds", "0 มิลลิวินาที", "۰ میلی‌ثانیه"},
		time.Millisecond:                        {"1 millisecond", "1 มิลลิวินาที", "۱ میلی‌ثانیه"},
		840 * time.Millisecond:                  {"0.8 seconds", "0.8 วินาที", "۰٫۸ ثانیه"},
		2960 * time.Millisecond:                 {"3 seconds", "3 วินาที", "۳ ثانیه"},
		time.Second:                             {"1 second", "1 วินาที", "۱ ثانیه"},
		125 * time.Second:                       {"2 minutes 5 seconds", "2 นาที 5 วินาที", "۲ دقیقه و ۵ ثانیه"},
		59*time.Minute + 59700*time.Millisecond: {"1 hour", "1 ชั่วโมง", "۱ ساعت"},
		6 * time.Hour:                           {"6 hours", "6 ชั่วโมง", "۶ ساعت"},
		23*time.Hour + 59*time.Minute + 40*time.Second: {"1 day", "1 วัน", "۱ روز"},
		50*time.Hour + 20*time.Minute:                  {"2 days 2 hours", "2 วัน 2 ชั่วโมง", "۲ روز و ۲ ساعت"},
	} {
		for i, lang := range Languages() {
			if got := Of(lang).Duration(d); got != want[i] {
				t.Errorf("%s in %s: got %s, want %s", d, lang, got, want[i])
			}
		}
	}
}

func TestAgo_AsPeopleSayIt(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	for d, want := range map[time.Duration][3]string{
		0:                 {"just now", "เมื่อสักครู่", "لحظاتی پیش"},
		-30 * time.Second: {"just now", "เมื่อสักครู่", "لحظاتی پیش"}, // clocks differ
		59 * time.Second:  {"just now", "เมื่อสักครู่", "لحظاتی پیش"},
		time.Minute:       {"1 minute ago", "เมื่อ 1\u00a0นาทีก่อน", "۱\u00a0دقیقهٔ پیش"},
		12 * time.Minute:  {"12 minutes ago", "เมื่อ 12\u00a0นาทีก่อน", "۱۲\u00a0دقیقهٔ پیش"},
		119 * time.Minute: {"1 hour ago", "เมื่อ 1\u00a0ชั่วโมงก่อน", "۱\u00a0ساعت پیش"},
		24 * time.Hour:    {"yesterday", "เมื่อวานนี้", "دیروز"},
		33 * time.Hour:    {"yesterday", "เมื่อวานนี้", "دیروز"},
		34 * time.Hour:    {"1 day ago", "เมื่อ 1\u00a0วันก่อน", "۱\u00a0روز پیش"}, // the day before it, late
		47 * time.Hour:    {"1 day ago", "เมื่อ 1\u00a0วันก่อน", "۱\u00a0روز پیش"},
		20 * day:          {"20 days ago", "เมื่อ 20\u00a0วันก่อน", "۲۰\u00a0روز پیش"},
		22 * day:          {"3 weeks ago", "เมื่อ 3\u00a0สัปดาห์ก่อน", "۳\u00a0هفتهٔ پیش"},
		100 * day:         {"3 months ago", "เมื่อ 3\u00a0เดือนก่อน", "۳\u00a0ماه پیش"},
		729 * day:         {"23 months ago", "เมื่อ 23\u00a0เดือนก่อน", "۲۳\u00a0ماه پیش"},
		800 * day:         {"2 years ago", "เมื่อ 2\u00a0ปีก่อน", "۲\u00a0سال پیش"},
		-3 * time.Hour:    {"in 3 hours", "อีก 3\u00a0ชั่วโมง", "۳\u00a0ساعت دیگر"},
	} {
		for i, lang := range Languages() {
			if got := Of(lang).Ago(now.Add(-d), now); got != want[i] {
				t.Errorf("%s in %s: got %s, want %s", d, lang, got, want[i])
			}
		}
	}
}

// Yesterday is a day of the reader's calendar, not of that of UTC.
func TestAgo_YesterdayIsTheReaders(t *testing.T) {
	now := time.Date(2026, 11, 22, 22, 0, 0, 0, time.UTC) // in Tehran the 23rd has begun
	for d, want := range map[time.Duration][2]string{
		25 * time.Hour: {"yesterday", "yesterday"},
		30 * time.Hour: {"yesterday", "1 day ago"},
	} {
		for i, zone := range []*time.Location{time.UTC, time.FixedZone("Tehran", 3*3600+1800)} {
			if got := Of(English).Ago(now.Add(-d), now.In(zone)); got != want[i] {
				t.Errorf("%s in %s: got %s, want %s", d, zone, got, want[i])
			}
		}
	}
}

func TestUntil_AsPeopleSayIt(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	for d, want := range map[time.Duration][3]string{
		-time.Second:                    {"now", "ถึงเวลาแล้ว", "همین حالا"},
		20 * time.Second:                {"in a moment", "อีกสักครู่", "تا لحظاتی دیگر"},
		40 * time.Second:                {"in 1 minute", "อีก 1\u00a0นาที", "۱\u00a0دقیقهٔ دیگر"},
		3*time.Hour - time.Minute:       {"in 3 hours", "อีก 3\u00a0ชั่วโมง", "۳\u00a0ساعت دیگر"},
		59*time.Minute + 45*time.Second: {"in 1 hour", "อีก 1\u00a0ชั่วโมง", "۱\u00a0ساعت دیگر"},
		23*time.Hour + 50*time.Minute:   {"in 1 day", "อีก 1\u00a0วัน", "۱\u00a0روز دیگر"},
	} {
		for i, lang := range Languages() {
			if got := Of(lang).Until(now.Add(d), now); got != want[i] {
				t.Errorf("%s in %s: got %s, want %s", d, lang, got, want[i])
			}
		}
	}
}

// No distance is told as nothing of a unit, and those that are longer never sound shorter.
func TestAgo_NeverZeroOfAUnit(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	for d := -3 * year; d < 3*year; d += 37*time.Minute + 13*time.Second {
		for _, lang := range Languages() {
			for _, text := range []string{Of(lang).Ago(now.Add(-d), now), Of(lang).Until(now.Add(d), now)} {
				digits := strings.TrimFunc(text, func(r rune) bool { return !unicode.IsDigit(r) })
				if digits == "0" || digits == "۰" || strings.Contains(text, "{{") || strings.Contains(text, "no value") {
					t.Fatalf("%s in %s: %q", d, lang, text)
				}
			}
		}
	}
}
