package schedule

import (
	"strings"
	"time"

	"github.com/adhocore/gronx"

	"github.com/holdfast-backup/holdfast"
)

// Expressions of cron are read in UTC, where no hour is skipped or comes twice. Of
// several, whichever comes first counts.

// farthest is how many years ahead a moment is looked for: 29 February on a Monday
// comes every 28 years, or 40 around a year such as 2100.
const farthest = 40

// NextCron gives the first moment after a time that one of the expressions names;
// false if there is none, as for 30 February.
func NextCron(expressions []string, after time.Time) (time.Time, bool) {
	after = after.UTC().Truncate(time.Second)
	return earliest(expressions, func(e string) (time.Time, bool) {
		return search(after, 1, func(from time.Time, inclusive bool) (time.Time, error) {
			return gronx.NextTickAfter(e, from, inclusive)
		})
	}, time.Time.Before)
}

// PrevCron gives the last moment before a time that one of the expressions names;
// false if there is none.
func PrevCron(expressions []string, before time.Time) (time.Time, bool) {
	before = before.UTC()
	if whole := before.Truncate(time.Second); whole.Before(before) {
		before = whole.Add(time.Second) // the second that has begun counts
	}
	return earliest(expressions, func(e string) (time.Time, bool) {
		return search(before, -1, func(from time.Time, inclusive bool) (time.Time, error) {
			return gronx.PrevTickBefore(e, from, inclusive)
		})
	}, time.Time.After)
}

// earliest gives the best of what the expressions name.
func earliest(expressions []string, of func(string) (time.Time, bool), better func(a, b time.Time) bool) (best time.Time, ok bool) {
	for _, e := range expressions {
		if t, found := of(e); found && (!ok || better(t, best)) {
			best, ok = t, true
		}
	}
	return best, ok
}

// search looks for a moment from a time on, forwards or backwards. The library gives
// up after some hundred steps; it then begins anew from the next year.
func search(from time.Time, direction int, look func(from time.Time, inclusive bool) (time.Time, error)) (time.Time, bool) {
	if at, err := look(from, false); err == nil {
		return at, true
	}
	for years := range farthest {
		edge := time.Date(from.Year()+years+1, 1, 1, 0, 0, 0, 0, time.UTC)
		if direction < 0 {
			edge = time.Date(from.Year()-years, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Second)
		}
		if at, err := look(edge, true); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// CheckCron refuses expressions that cannot be read, and such as never come true. The
// error matches ErrUsage.
func CheckCron(expressions []string) error {
	for _, e := range expressions {
		why := ""
		if !readable(e) {
			why = "it cannot be read"
		} else if _, ok := NextCron([]string{e}, time.Unix(0, 0)); !ok {
			why = "there is no such day"
		}
		if why != "" {
			return &holdfast.Error{
				Op: "cron", Object: e, Err: holdfast.Kindf(holdfast.ErrUsage, "%s", why),
				Hint: "such as 0 3 * * *: minute, hour, day, month, weekday, in UTC",
			}
		}
	}
	return nil
}

// readable tells whether an expression can be read, and names whole minutes.
func readable(e string) bool {
	if !gronx.IsValid(e) || len(strings.Fields(e)) > 5 {
		return false
	}
	parts, err := gronx.Segments(e) // with the second before the others
	return err == nil && parts[0] == "0"
}
