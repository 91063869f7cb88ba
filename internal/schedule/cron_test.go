package schedule

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/adhocore/gronx"

	"github.com/holdfast-backup/holdfast"
)

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05.999", s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestCron_NextAndPrevious(t *testing.T) {
	for _, c := range []struct {
		name        string
		expressions []string
		now         string
		next, prev  string // empty: none
	}{
		{"every night", []string{"0 3 * * *"}, "2026-03-29 02:30:00", "2026-03-29 03:00:00", "2026-03-28 03:00:00"},
		{"in the hour that summer time leaves out", []string{"30 2 * * *"}, "2026-03-29 01:00:00", "2026-03-29 02:30:00", "2026-03-28 02:30:00"},
		{"in the hour that winter time has twice", []string{"*/30 * * * *"}, "2026-10-25 01:45:00", "2026-10-25 02:00:00", "2026-10-25 01:30:00"},
		{"the moment itself is neither", []string{"0 3 * * *"}, "2026-03-01 03:00:00", "2026-03-02 03:00:00", "2026-02-28 03:00:00"},
		{"just before it", []string{"0 3 * * *"}, "2026-03-01 02:59:59.999", "2026-03-01 03:00:00", "2026-02-28 03:00:00"},
		{"just after it", []string{"0 3 * * *"}, "2026-03-01 03:00:00.001", "2026-03-02 03:00:00", "2026-03-01 03:00:00"},
		{"a day in words", []string{"@daily"}, "2026-12-31 12:00:00", "2027-01-01 00:00:00", "2026-12-31 00:00:00"},
		{"a week in words", []string{"@weekly"}, "2026-11-22 12:00:00", "2026-11-29 00:00:00", "2026-11-22 00:00:00"},
		{"names", []string{"0 9 * * MON-FRI"}, "2026-11-20 10:00:00", "2026-11-23 09:00:00", "2026-11-20 09:00:00"},
		{"the 31st", []string{"0 0 31 * *"}, "2026-09-01 00:00:00", "2026-10-31 00:00:00", "2026-08-31 00:00:00"},
		{"the last day of a month", []string{"0 0 L * *"}, "2026-02-10 00:00:00", "2026-02-28 00:00:00", "2026-01-31 00:00:00"},
		{"the last day of a month in a leap year", []string{"0 0 L * *"}, "2028-02-10 00:00:00", "2028-02-29 00:00:00", "2028-01-31 00:00:00"},
		{"a leap day", []string{"0 0 29 2 *"}, "2026-01-01 00:00:00", "2028-02-29 00:00:00", "2024-02-29 00:00:00"},
		{"a leap day around 2100", []string{"0 0 29 2 *"}, "2096-03-01 00:00:00", "2104-02-29 00:00:00", "2096-02-29 00:00:00"},
		{"whichever is nearer", []string{"0 3 * * *", "0 */6 * * *"}, "2026-03-01 01:00:00", "2026-03-01 03:00:00", "2026-03-01 00:00:00"},
		{"one of them never", []string{"0 0 30 2 *", "0 3 * * *"}, "2026-03-01 01:00:00", "2026-03-01 03:00:00", "2026-02-28 03:00:00"},
		{"never", []string{"0 0 30 2 *"}, "2026-01-01 00:00:00", "", ""},
		{"nothing at all", nil, "2026-01-01 00:00:00", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, zone := range []*time.Location{time.UTC, time.FixedZone("elsewhere", 5*3600+1800)} {
				now := at(c.now).In(zone)
				next, ok := NextCron(c.expressions, now)
				if ok != (c.next != "") || ok && !next.Equal(at(c.next)) {
					t.Errorf("next is %s, %t; want %s", next, ok, c.next)
				}
				prev, ok := PrevCron(c.expressions, now)
				if ok != (c.prev != "") || ok && !prev.Equal(at(c.prev)) {
					t.Errorf("previous is %s, %t; want %s", prev, ok, c.prev)
				}
			}
		})
	}
}

// Between two moments in a row there is none, and each is one.
func TestCron_LeavesNoneOut(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 5))
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	num := func(from, to int) string { return strconv.Itoa(from + r.IntN(to-from+1)) }
	for range 40 {
		e := one("*", num(0, 59), "*/"+num(2, 40)) + " " + one("*", num(0, 23), "*/"+num(2, 12)) + " " +
			one("*", "*", num(1, 31), "L", "1,15") + " " + one("*", "*", num(1, 12)) + " " + one("*", "*", num(0, 6), "1-5")
		from := at("2027-11-20 00:00:00").Add(time.Duration(r.Int64N(int64(120 * 24 * time.Hour))))
		next, ok := NextCron([]string{e}, from)
		if !ok {
			if CheckCron([]string{e}) == nil {
				t.Fatalf("seed %d: %q has no moment after %s", seed, e, from)
			}
			continue
		}
		due := func(at time.Time) bool {
			ok, err := gronx.New().IsDue(e, at)
			return ok && err == nil
		}
		if !due(next) {
			t.Fatalf("seed %d: %q: %s is no moment of it", seed, e, next)
		}
		end := next
		if limit := from.Add(4 * 24 * time.Hour); end.After(limit) {
			end = limit
		}
		for at := from.Truncate(time.Minute).Add(time.Minute); at.Before(end); at = at.Add(time.Minute) {
			if due(at) {
				t.Fatalf("seed %d: %q: after %s comes %s, which was left out for %s", seed, e, from, at, next)
			}
		}
		if prev, ok := PrevCron([]string{e}, next.Add(time.Nanosecond)); !ok || !prev.Equal(next) {
			t.Fatalf("seed %d: %q: before just after %s was %s, %t", seed, e, next, prev, ok)
		}
	}
}

func TestCheckCron_RefusesWhatIsNoExpressionOrNeverTrue(t *testing.T) {
	for e, good := range map[string]bool{
		"0 3 * * *": true, "@daily": true, "0 0 29 2 *": true, "*/15 8-18 * * MON-FRI": true,
		"": false, "3 o'clock": false, "61 * * * *": false, "0 0 30 2 *": false, "0 0 31 4,6,9,11 *": false, "* * * * * *": false, "@everysecond": false,
	} {
		err := CheckCron([]string{"0 1 * * *", e})
		if (err == nil) != good || err != nil && (!errors.Is(err, holdfast.ErrUsage) || holdfast.HintOf(err) == "") {
			t.Errorf("%q: %v", e, err)
		}
	}
}
