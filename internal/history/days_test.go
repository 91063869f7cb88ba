package history

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/holdfast-backup/holdfast"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// at reads a time such as 2026-11-22T09:30Z.
func at(t *testing.T, text string) time.Time {
	t.Helper()
	moment, err := time.Parse("2006-01-02T15:04Z07:00", text)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

func madeAt(t *testing.T, n int64, text string) Bucket {
	t.Helper()
	return Bucket{Start: holdfast.At(at(t, text)), Made: map[holdfast.Trigger]int64{holdfast.TriggerScheduled: n}}
}

// The same moments fall on different days of different readers.
func TestLog_DaysAreThoseOfTheReader(t *testing.T) {
	l := Log{Since: holdfast.At(at(t, "2026-03-01T00:00Z")), Buckets: []Bucket{
		madeAt(t, 1, "2026-03-07T19:30Z"), // before midnight of Tehran (+3:30) and after that of Bangkok (+7)
		madeAt(t, 2, "2026-03-07T20:30Z"), // midnight of Tehran
		madeAt(t, 4, "2026-03-08T07:30Z"), // before midnight of Los Angeles (-8)
		madeAt(t, 8, "2026-03-08T08:00Z"), // its midnight, of a day of 23 hours
		madeAt(t, 16, "2026-03-09T06:30Z"),
		madeAt(t, 32, "2026-03-09T07:00Z"), // the next one, at -7
	}}
	now := at(t, "2026-03-09T12:00Z")
	for name, want := range map[string][3]int64{
		"UTC":                 {3, 12, 48},
		"Asia/Tehran":         {1, 2 + 4 + 8, 48},
		"Asia/Bangkok":        {0, 1 + 2 + 4 + 8, 48},
		"America/Los_Angeles": {1 + 2 + 4, 8 + 16, 32},
	} {
		days := l.Days(now, zone(t, name), 3)
		for i, d := range days {
			if d.Made != want[i] || d.Before || d.Today != (i == 2) {
				t.Errorf("%s, day %d: %+v, want %d made", name, i, d, want[i])
			}
		}
		if name == "America/Los_Angeles" {
			if long := days[1].End.Sub(days[1].Start); long != 23*time.Hour {
				t.Errorf("the day on which clocks are set forward has %s", long)
			}
		}
	}
}

// Where clocks are set forward at midnight, there is no midnight.
func TestLog_ADayWithoutMidnight(t *testing.T) {
	santiago := zone(t, "America/Santiago")
	now := time.Date(2026, 9, 7, 12, 0, 0, 0, santiago) // on 6 September it is one o'clock at once
	days := Log{}.Days(now, santiago, 4)
	for i, d := range days {
		if d.Start.Day() != 4+i || i > 0 && !d.Start.Equal(days[i-1].End) {
			t.Errorf("day %d is from %s to %s", i, d.Start, d.End)
		}
	}
	if long := days[2].End.Sub(days[2].Start); long != 23*time.Hour {
		t.Errorf("that day has %s", long)
	}
}

// Every bucket counts to exactly one day, whatever the zone, if it is half hours away.
func TestLog_DaysLoseNothing(t *testing.T) {
	start := at(t, "2026-01-01T00:00Z")
	var l Log
	l.Since = holdfast.At(start)
	for i := range 400 * 48 {
		l.Buckets = append(l.Buckets, Bucket{Start: holdfast.At(start.Add(time.Duration(i) * Width)), Missed: 1})
	}
	end := start.Add(400 * 24 * time.Hour)
	for _, name := range []string{"UTC", "Asia/Tehran", "Asia/Bangkok", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"} {
		var missed, halves int64
		for _, d := range l.Days(end.Add(-time.Minute), zone(t, name), 402) {
			missed += d.Missed
			if d.Today || d.Before {
				continue
			}
			if halves = int64(d.End.Sub(d.Start) / Width); d.Missed != halves && !d.Start.Before(start) && name != "Asia/Kathmandu" {
				t.Errorf("%s: %s has %d of %d half hours", name, d.Start, d.Missed, halves)
			}
		}
		if missed != int64(len(l.Buckets)) {
			t.Errorf("%s: %d of %d", name, missed, len(l.Buckets))
		}
	}
}

func TestLog_WhatWasBeforeTheRecord(t *testing.T) {
	now := at(t, "2026-11-22T09:30Z")
	l := Log{Since: holdfast.At(at(t, "2026-11-21T10:00Z")), Buckets: []Bucket{madeAt(t, 1, "2026-11-19T10:00Z")}}
	want := []bool{true, true, false, false, false, false}
	for i, d := range l.Days(now, time.UTC, 6) {
		if d.Before != want[i] {
			t.Errorf("%s: before %t", d.Start, d.Before)
		}
	}
	for _, d := range (Log{}).Days(now, time.UTC, 2) {
		if !d.Before {
			t.Errorf("nothing is known, also of %s", d.Start)
		}
	}
	if got := (Log{}).Days(now, time.UTC, 0); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
