package overview

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/history"
)

// noon is a time at which the tests look.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// letters are the kinds of days, for months that are written by hand.
var letters = map[DayKind]string{
	DayBefore: ".", DayQuiet: "_", DayMade: "m", DayChecked: "c", DayPartly: "p", DayMissed: "-", DayFailed: "x", DayOverdue: "o", DayDue: "d",
}

func drawn(cells []Cell) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteString(letters[c.Kind])
	}
	return b.String()
}

// written is a record of 30 days up to noon, a letter a day as above, each at eight o'clock.
func written(days string) history.Log {
	var l history.Log
	for i, letter := range days {
		at := holdfast.At(time.Date(2026, 11, 22-29+i, 8, 0, 0, 0, time.UTC))
		b := history.Bucket{Start: at}
		made := map[holdfast.Trigger]int64{holdfast.TriggerScheduled: 2}
		switch letter {
		case '.':
			continue
		case 'm':
			b.Made = made
		case 'c':
			b.Unchanged = 3
		case 'p':
			b.Made, b.Failed = made, 1
		case '-', 'o':
			b.Missed = 4
		case 'x':
			b.Failed, b.Missed = 1, 1
		}
		if l.Since.IsZero() {
			l.Since = at
		}
		l.Buckets = append(l.Buckets, b)
	}
	return l
}

func TestStrip_AMonthByHand(t *testing.T) {
	for _, want := range []string{
		"....mmmcmmm-mmxxmpmm__mmcmmmmm",
		".............................m",
		"..............................",
		"mmmmmmmmmmmmmmmmmmmmmmmmmmm--o",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	} {
		log := written(want)
		if !strings.ContainsAny(want, "mcpx-o") {
			log = history.Log{Since: holdfast.At(noon.AddDate(0, 0, 1))}
		}
		if got := drawn(strip(log.Days(noon, time.UTC, stripDays), noon, nil)); got != want {
			t.Errorf("%s\n%s is wanted", got, want)
		}
	}
}

// Backups of the last evening in one zone are those of the next morning in another.
func TestStrip_FollowsTheReader(t *testing.T) {
	log := history.Log{Since: holdfast.At(noon.AddDate(0, 0, -40))}
	for back := 29; back >= 0; back-- {
		log.Buckets = append(log.Buckets, history.Bucket{
			Start: holdfast.At(time.Date(2026, 11, 22-back-1, 20, 30, 0, 0, time.UTC)), // midnight in Tehran
			Made:  map[holdfast.Trigger]int64{holdfast.TriggerScheduled: 1},
		})
	}
	for zone, want := range map[int]string{0: strings.Repeat("m", 29) + "_", 3*3600 + 1800: strings.Repeat("m", 30), 7 * 3600: strings.Repeat("m", 30)} {
		at := time.FixedZone("", zone)
		if got := drawn(strip(log.Days(noon, at, stripDays), noon, nil)); got != want {
			t.Errorf("%d seconds east: %s, want %s", zone, got, want)
		}
	}
}

func TestStrip_TodayIsOverdueWhenTheNextRunIs(t *testing.T) {
	for name, c := range map[string]struct {
		day  history.Day
		next time.Duration // from noon
		want DayKind
	}{
		"late":                    {history.Day{Today: true}, -time.Hour, DayOverdue},
		"being made":              {history.Day{Today: true}, -time.Minute, DayDue},
		"to come":                 {history.Day{Today: true}, time.Hour, DayDue},
		"late, after another one": {history.Day{Today: true, Made: 1}, -time.Hour, DayMade},
		"yesterday":               {history.Day{}, -time.Hour, DayQuiet},
		"missed":                  {history.Day{Today: true, Missed: 1}, time.Hour, DayOverdue},
		"failed":                  {history.Day{Today: true, Failed: 1}, -time.Hour, DayFailed},
	} {
		next := noon.Add(c.next)
		if got := kindOf(c.day, noon, &next); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Each kind but those on which nothing was to be seen has a shape, which no other has.
func TestStrip_NoStateIsToldByColourAlone(t *testing.T) {
	seen := map[string]DayKind{}
	for kind, icon := range icons {
		if icon == "" {
			if kind != DayBefore && kind != DayQuiet {
				t.Errorf("%s has no shape", kind)
			}
			continue
		}
		if other, twice := seen[icon]; twice {
			t.Errorf("%s and %s have one shape", kind, other)
		}
		seen[icon] = kind
	}
	if len(icons) != len(letters) {
		t.Errorf("%d shapes of %d kinds", len(icons), len(letters))
	}
}
