package retention

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// String says the rules for people: "7 days, the last 5, 4 weekly".
func (p Policy) String() string {
	if !p.Active() {
		return "all backups are kept"
	}
	var rules []string
	if p.MaxAge > 0 {
		rules = append(rules, words(p.MaxAge))
	}
	for _, t := range holdfast.Triggers() {
		switch limit, own := p.limit(t); {
		case own && limit > 0:
			rules = append(rules, string(t)+" backups "+words(limit))
		case own:
			rules = append(rules, string(t)+" backups without a limit")
		}
	}
	if p.KeepLast > 0 {
		rules = append(rules, "the last "+strconv.Itoa(p.KeepLast))
	}
	for _, r := range []struct {
		keep int
		word string
	}{{p.Hourly, "hourly"}, {p.Daily, "daily"}, {p.Weekly, "weekly"}, {p.Monthly, "monthly"}, {p.Yearly, "yearly"}} {
		if r.keep > 0 {
			rules = append(rules, strconv.Itoa(r.keep)+" "+r.word)
		}
	}
	return strings.Join(rules, ", ")
}

func oneOfTheLast(n int) string {
	if n == 1 {
		return "the last one"
	}
	return fmt.Sprintf("one of the last %d", n)
}

// names gives the first name and counts the rest.
func names(all []holdfast.BackupName) string {
	if n := len(all) - 1; n > 0 {
		return fmt.Sprintf("%s and %d more", all[0], n)
	}
	return string(all[0])
}

// words gives a duration in the largest unit that fits it evenly.
func words(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		switch {
		case d == u.size:
			return "1 " + u.name
		case d >= u.size && d%u.size == 0:
			return fmt.Sprintf("%d %ss", d/u.size, u.name)
		}
	}
	return d.String()
}
