package retention_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// repository draws any set of backups: ages around and far from the limit,
// with pauses of weeks, some from the future, every combination of flags.
func repository(t *rapid.T) []retention.Candidate {
	n := rapid.IntRange(0, 14).Draw(t, "backups")
	all := make([]retention.Candidate, n)
	some := rapid.Bool().Draw(t, "sources differ")
	off := time.Duration(rapid.SampledFrom([]int{0, 0, 24, 30 * 24, 400 * 24}).Draw(t, "hours off")) * time.Hour
	for i := range all {
		c := retention.Candidate{
			Name:        holdfast.BackupName(fmt.Sprintf("b%02d", i)),
			CreatedAt:   now.Add(-time.Duration(rapid.IntRange(-100, 1000).Draw(t, "age in hours")) * time.Hour),
			Trigger:     rapid.SampledFrom([]holdfast.Trigger{holdfast.TriggerManual, holdfast.TriggerAuto, holdfast.TriggerEmergency}).Draw(t, "trigger"),
			Pinned:      rapid.IntRange(0, 9).Draw(t, "pinned") == 0,
			Proven:      rapid.IntRange(0, 3).Draw(t, "proven") == 0,
			Damaged:     rapid.IntRange(0, 2).Draw(t, "damaged") == 0,
			Unreadable:  rapid.IntRange(0, 9).Draw(t, "unreadable") == 0,
			StoredBytes: int64(i) + 1,
		}
		if i%2 == 1 {
			c.CreatedAt = c.CreatedAt.Add(-off)
		}
		if i > 0 && rapid.IntRange(0, 4).Draw(t, "needed") == 0 {
			c.NeededBy = []holdfast.BackupName{all[rapid.IntRange(0, i-1).Draw(t, "by")].Name}
		}
		if some {
			c.Sources = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"bot", "chromadb", "notes"}), 1, 3, rapid.ID[string]).Draw(t, "sources")
		}
		if rapid.IntRange(0, 19).Draw(t, "without time") == 0 {
			c.CreatedAt = time.Time{}
		}
		all[i] = c
	}
	return all
}

// age draws an age limit; one time in three there is none.
func age(t *rapid.T, what string) time.Duration {
	return time.Duration(max(0, rapid.IntRange(-200, 400).Draw(t, what))) * time.Hour
}

// policy draws any combination of rules.
func policy(t *rapid.T) retention.Policy {
	several := func(what string) int { return max(0, rapid.IntRange(-4, 4).Draw(t, what)) }
	p := retention.Policy{
		MaxAge: age(t, "hours kept"), KeepLast: several("last"),
		Hourly: several("hourly"), Daily: several("daily"), Weekly: several("weekly"), Monthly: several("monthly"), Yearly: several("yearly"),
	}
	if rapid.Bool().Draw(t, "auto differs") {
		p.TriggerAge = map[holdfast.Trigger]time.Duration{holdfast.TriggerAuto: age(t, "hours auto is kept")}
	}
	return p
}

// anyTime draws what a clock may say: right, behind or far ahead.
func anyTime(t *rapid.T) time.Time {
	return now.Add(time.Duration(rapid.IntRange(-1500, 100_000).Draw(t, "clock in hours")) * time.Hour)
}

// limitOf is the age limit that holds for a trigger.
func limitOf(p retention.Policy, trigger holdfast.Trigger) time.Duration {
	if limit, own := p.TriggerAge[trigger]; own {
		return limit
	}
	return p.MaxAge
}

// usable tells whether a candidate may count as a landmark.
func usable(c retention.Candidate, at time.Time) bool {
	return !c.Unreadable && !c.CreatedAt.IsZero() && !c.CreatedAt.After(at)
}

// holds tells whether a backup holds a source; one that tells no sources holds
// the nameless one.
func holds(c retention.Candidate, source string) bool {
	return len(c.Sources) == 0 && source == "" || slices.Contains(c.Sources, source)
}

// newest gives the first decision, newest first, of which ok holds.
func newest(ds []retention.Decision, ok func(retention.Candidate) bool) *retention.Decision {
	i := slices.IndexFunc(ds, func(d retention.Decision) bool { return ok(d.Candidate) })
	if i < 0 {
		return nil
	}
	return &ds[i]
}

func TestPlan_Laws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backups, p := repository(t), policy(t)
		at := anyTime(t)
		ds := retention.Plan(backups, p, at)

		if len(ds) != len(backups) {
			t.Fatalf("%d decisions for %d backups", len(ds), len(backups))
		}
		for i, d := range ds {
			if d.Reason == "" {
				t.Errorf("%s has no reason", d.Name)
			}
			if i > 0 && d.CreatedAt.After(ds[i-1].CreatedAt) {
				t.Errorf("%s is not in order, newest first", d.Name)
			}
			if !d.Remove {
				if d.Hides || d.Frees != 0 {
					t.Errorf("%+v stays and frees nothing", d)
				}
				continue
			}
			switch {
			case d.Pinned, d.Unreadable, d.CreatedAt.IsZero():
				t.Errorf("%+v must stay", d)
			case d.CreatedAt.After(at):
				t.Errorf("%s is from the future and must stay", d.Name)
			case !p.Active():
				t.Errorf("%s goes without any rule", d.Name)
			case limitOf(p, d.Trigger) > 0 && at.Sub(d.CreatedAt) <= limitOf(p, d.Trigger):
				t.Errorf("%s is not too old: %v", d.Name, p)
			}
			if d.Hides == (d.Frees != 0) {
				t.Errorf("%+v both hides and frees, or neither", d)
			}
		}
		for _, source := range []string{"", "bot", "chromadb", "notes"} {
			for what, ok := range map[string]func(retention.Candidate) bool{
				"newest backup":      func(c retention.Candidate) bool { return usable(c, at) },
				"newest good backup": func(c retention.Candidate) bool { return usable(c, at) && !c.Damaged },
				"last proven backup": func(c retention.Candidate) bool { return usable(c, at) && !c.Damaged && c.Proven },
				"last proven backup that somebody wanted": func(c retention.Candidate) bool {
					return usable(c, at) && !c.Damaged && c.Proven && c.Trigger != holdfast.TriggerEmergency
				},
				"newest good backup that somebody wanted": func(c retention.Candidate) bool {
					return usable(c, at) && !c.Damaged && c.Trigger != holdfast.TriggerEmergency
				},
			} {
				if d := newest(ds, func(c retention.Candidate) bool { return holds(c, source) && ok(c) }); d != nil && d.Remove {
					t.Errorf("the %s of %q, %s, would be removed: %s", what, source, d.Name, d.Reason)
				}
			}
		}
	})
}

// costsNone says that one more backup makes none of the others removable for which
// ok holds.
func costsNone(t *rapid.T, one retention.Candidate, ok func(retention.Candidate) bool) {
	backups, p, at := repository(t), policy(t), anyTime(t)
	one.CreatedAt = at.Add(one.CreatedAt.Sub(now))
	one.Sources = []string{"bot", "chromadb", "notes", ""}
	before := removable(retention.Plan(backups, p, at))
	for _, d := range retention.Plan(append(slices.Clone(backups), one), p, at) {
		if d.Remove && d.Name != one.Name && ok(d.Candidate) && !before[d.Name] {
			t.Errorf("%s makes %s removable: %s", one.Name, d.Name, d.Reason)
		}
	}
}

func TestPlan_DamagedBackupNeverCostsAGoodOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		costsNone(t, retention.Candidate{
			Name: "zz_damaged", Damaged: true, Proven: rapid.Bool().Draw(t, "proven"),
			CreatedAt: now.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "age")) * time.Hour),
		}, func(c retention.Candidate) bool { return !c.Damaged })
	})
}

func TestPlan_FutureBackupCostsNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		costsNone(t, retention.Candidate{Name: "zz_future", Proven: true, CreatedAt: now.Add(time.Hour)},
			func(retention.Candidate) bool { return true })
	})
}

// An emergency backup takes nobody's place in the rules that count.
func TestPlan_EmergencyBackupTakesNoPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backups, p := repository(t), policy(t)
		p.MaxAge, p.TriggerAge = 0, nil
		// The newest and the last proven backup stay for a reason of their own,
		// which an emergency backup may end.
		backups = append(backups, retention.Candidate{Name: "newest", CreatedAt: now, Proven: true})
		before := map[holdfast.BackupName]bool{}
		for _, d := range retention.Plan(backups, p, now) {
			before[d.Name] = strings.HasPrefix(d.Reason, "one of the last") || strings.HasPrefix(d.Reason, "the newest of")
		}
		emergency := retention.Candidate{
			Name: "zz_emergency", Trigger: holdfast.TriggerEmergency,
			CreatedAt: now.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "age")) * time.Hour),
		}
		for _, d := range retention.Plan(append(slices.Clone(backups), emergency), p, now) {
			if d.Remove && before[d.Name] && !d.Damaged && d.Trigger != holdfast.TriggerEmergency {
				t.Errorf("the emergency backup makes %s removable: %s", d.Name, d.Reason)
			}
		}
	})
}

// Between two backups time alone must not eat into the history of good
// backups beyond the age limit before the newest good one.
func TestPlan_ClockAloneRemovesNoRecentHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backups, p := repository(t), policy(t)
		at := now.Add(time.Duration(rapid.IntRange(0, 1_000_000).Draw(t, "jump in hours")) * time.Hour)
		ds := retention.Plan(backups, p, at)
		good := newest(ds, func(c retention.Candidate) bool { return usable(c, at) && !c.Damaged })
		for _, d := range ds {
			if limit := limitOf(p, d.Trigger); d.Remove && !d.Damaged && limit > 0 && good.CreatedAt.Sub(d.CreatedAt) <= limit {
				t.Errorf("%s goes although it is within the limit before %s: %v", d.Name, good.Name, p)
			}
		}
	})
}

// A clock that jumps ahead and takes a backup there, or a machine that comes
// back after any time and takes one: at least half of the history that was kept
// stays, and of three good backups none goes.
func TestPlan_FirstBackupAfterAPauseEmptiesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.IntRange(1, 30).Draw(t, "days kept")
		p := retention.Policy{MaxAge: time.Duration(days) * 24 * time.Hour, KeepLast: rapid.IntRange(0, 1).Draw(t, "last")}
		var backups []retention.Candidate
		for i := range rapid.IntRange(1, 40).Draw(t, "backups") {
			backups = append(backups, retention.Candidate{
				Name:      holdfast.BackupName(fmt.Sprintf("b%02d", i)),
				CreatedAt: now.Add(-time.Duration(i) * time.Duration(rapid.IntRange(1, 24).Draw(t, "every hours")) * time.Hour),
			})
		}
		at := now.Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "off for hours")) * time.Hour)
		backups = append(backups, retention.Candidate{Name: "back_again", CreatedAt: at})
		ds := retention.Plan(backups, p, at)
		for i, d := range ds {
			if d.Remove && (i < 3 || now.Sub(d.CreatedAt) <= p.MaxAge/2) {
				t.Errorf("%s goes, %v before the pause: %s", d.Name, now.Sub(d.CreatedAt), d.Reason)
			}
		}
	})
}

// Planning again after removing must not find more to remove: prune settles.
func TestPlan_Settles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, at := policy(t), anyTime(t)
		var left []retention.Candidate
		for _, d := range retention.Plan(repository(t), p, at) {
			if !d.Remove {
				left = append(left, d.Candidate)
			}
		}
		if again := removable(retention.Plan(left, p, at)); len(again) > 0 {
			t.Errorf("a second prune would remove %v", again)
		}
	})
}

// Keeping more must not remove more.
func TestPlan_MoreRulesRemoveNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backups, p, at := repository(t), policy(t), anyTime(t)
		if !p.Active() {
			return // without any rule all stay
		}
		more := p
		days := func(limit time.Duration) time.Duration {
			if limit == 0 {
				return 0 // no limit is the other end
			}
			return limit + time.Duration(rapid.IntRange(0, 500).Draw(t, "hours more"))*time.Hour
		}
		more.MaxAge = days(p.MaxAge)
		more.TriggerAge = map[holdfast.Trigger]time.Duration{}
		for trigger, limit := range p.TriggerAge {
			more.TriggerAge[trigger] = days(limit)
		}
		counting := max(p.KeepLast, p.Hourly, p.Daily, p.Weekly, p.Monthly, p.Yearly) > 0
		for _, keep := range []*int{&more.KeepLast, &more.Hourly, &more.Daily, &more.Weekly, &more.Monthly, &more.Yearly} {
			// A first rule that counts would apply to backups that none
			// applied to so far.
			if counting {
				*keep += rapid.IntRange(0, 3).Draw(t, "more")
			}
		}
		before := removable(retention.Plan(backups, p, at))
		for _, d := range retention.Plan(backups, more, at) {
			if d.Remove && !before[d.Name] {
				t.Errorf("%s goes with %v, but not with %v: %s", d.Name, more, p, d.Reason)
			}
		}
	})
}

// Nothing that somebody made is left without a backup of each source, and none
// loses its last proven one, however often plans are carried out while the
// clock jumps.
func TestPlan_NeverEmpties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left := repository(t)
		had := map[string]bool{}
		for _, c := range left {
			for _, source := range c.Sources {
				had[source] = true
			}
		}
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			p, at := policy(t), anyTime(t)
			ds := retention.Plan(left, p, at)
			left = nil
			for _, d := range ds {
				if !d.Remove {
					left = append(left, d.Candidate)
				}
			}
		}
		for source := range had {
			if !slices.ContainsFunc(left, func(c retention.Candidate) bool { return slices.Contains(c.Sources, source) }) {
				t.Errorf("no backup of %s is left", source)
			}
		}
	})
}

// removable gives the names that a plan removes.
func removable(ds []retention.Decision) map[holdfast.BackupName]bool {
	m := map[holdfast.BackupName]bool{}
	for _, d := range ds {
		if d.Remove {
			m[d.Name] = true
		}
	}
	return m
}
