package history

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestSchedule_Missed(t *testing.T) {
	day := func(clock string) string { return "2026-11-22T" + clock + "Z" }
	six := Schedule{Every: 6 * time.Hour}
	nights := Schedule{Cron: []string{"0 3 * * *"}}
	for name, c := range map[string]struct {
		s                  Schedule
		base, after, until string
		want               []string
	}{
		"in time":                      {six, day("00:00"), day("00:00"), day("06:59"), nil},
		"an hour late":                 {six, day("00:00"), day("00:00"), day("07:00"), []string{day("06:00")}},
		"all day":                      {six, day("00:00"), day("00:00"), day("23:59"), []string{day("06:00"), day("12:00"), day("18:00")}},
		"counted already":              {six, day("00:00"), day("12:00"), day("23:59"), []string{day("18:00")}},
		"each minute has a minute":     {Schedule{Every: time.Minute}, day("00:00"), day("00:00"), day("00:03"), []string{day("00:01"), day("00:02")}},
		"a night":                      {nights, day("02:00"), day("02:00"), day("23:00"), []string{day("03:00")}},
		"a night, within the hour":     {nights, day("02:00"), day("02:00"), day("03:59"), nil},
		"both":                         {Schedule{Every: 8 * time.Hour, Cron: []string{"0 10 * * *"}}, day("00:00"), day("00:00"), day("20:00"), []string{day("08:00"), day("10:00"), day("16:00")}},
		"nothing is due by itself":     {Schedule{}, day("00:00"), day("00:00"), "2027-11-22T00:00Z", nil},
		"the last run is still ahead":  {six, day("12:00"), day("00:00"), day("06:00"), nil},
		"a moment that never comes is": {Schedule{Cron: []string{"0 0 30 2 *"}}, day("00:00"), day("00:00"), "2027-11-22T00:00Z", nil},
	} {
		var got []string
		for due := range c.s.missed(at(t, c.base), at(t, c.after), at(t, c.until)) {
			got = append(got, due.UTC().Format("2006-01-02T15:04Z"))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Whatever the schedule: what is missed lies in order within the time that is looked at,
// at most a month back, and looking twice finds the same as looking once.
func TestSchedule_MissedInPartsIsMissedAtOnce(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	crons := []string{"0 3 * * *", "*/15 * * * *", "30 8-18 * * 1-5", "0 0 1 * *", "17 4 * * 0"}
	for range 60 {
		s := Schedule{Every: time.Duration(r.IntN(3)) * time.Duration(1+r.IntN(48*60)) * time.Minute}
		for range r.IntN(3) {
			s.Cron = append(s.Cron, crons[r.IntN(len(crons))])
		}
		base := time.Date(2026, 1, 1, 0, r.IntN(100000), 0, 0, time.UTC)
		until := base.Add(time.Duration(r.IntN(int(20 * 24 * time.Hour))))
		once := slices.Collect(s.missed(base, base, until))
		var parts []time.Time
		for decided, look := base, base; look.Before(until); {
			look = look.Add(time.Duration(r.IntN(int(10 * time.Hour))))
			if look.After(until) {
				look = until
			}
			for due := range s.missed(base, decided, look) {
				parts, decided = append(parts, due), due
			}
		}
		if !slices.EqualFunc(once, parts, time.Time.Equal) {
			t.Fatalf("seed %d: %v: %d at once, %d in parts", seed, s, len(once), len(parts))
		}
		for i, due := range once {
			if !due.After(base) || !due.Before(until) || i > 0 && !due.After(once[i-1]) {
				t.Fatalf("seed %d: %v: %s is not between %s and %s, in order", seed, s, due, base, until)
			}
		}
		year := slices.Collect(s.missed(base, base, base.AddDate(1, 0, 0)))
		if len(year) > 0 && year[0].Before(base.AddDate(1, 0, 0).Add(-mostBack)) {
			t.Fatalf("seed %d: %v: it looks back to %s", seed, s, year[0])
		}
	}
}
