package retention_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// repository draws any set of backups: ages around and far from the limit,
// some from the future, every combination of flags.
func repository(t *rapid.T) []retention.Candidate {
	n := rapid.IntRange(0, 12).Draw(t, "backups")
	all := make([]retention.Candidate, n)
	some := rapid.Bool().Draw(t, "sources differ")
	for i := range all {
		c := retention.Candidate{
			Name:       holdfast.BackupName(fmt.Sprintf("b%02d", i)),
			CreatedAt:  now.Add(-time.Duration(rapid.IntRange(-100, 1000).Draw(t, "age in hours")) * time.Hour),
			Pinned:     rapid.IntRange(0, 9).Draw(t, "pinned") == 0,
			Proven:     rapid.IntRange(0, 3).Draw(t, "proven") == 0,
			Damaged:    rapid.IntRange(0, 2).Draw(t, "damaged") == 0,
			Unreadable: rapid.IntRange(0, 9).Draw(t, "unreadable") == 0,
		}
		if rapid.IntRange(0, 9).Draw(t, "needed") == 0 {
			c.NeededBy = []holdfast.BackupName{"other"}
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

func policy(t *rapid.T) retention.Policy {
	return retention.Policy{MaxAge: time.Duration(rapid.IntRange(0, 400).Draw(t, "hours kept")) * time.Hour}
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
		at := now.Add(time.Duration(rapid.IntRange(-500, 100_000).Draw(t, "clock in hours")) * time.Hour)
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
				continue
			}
			switch {
			case d.Pinned, d.Unreadable, d.CreatedAt.IsZero(), len(d.NeededBy) > 0:
				t.Errorf("%+v must stay", d)
			case d.CreatedAt.After(at):
				t.Errorf("%s is from the future and must stay", d.Name)
			case p.MaxAge == 0 || at.Sub(d.CreatedAt) <= p.MaxAge:
				t.Errorf("%s is not too old: %v", d.Name, p)
			}
		}
		for _, source := range []string{"", "bot", "chromadb", "notes"} {
			for what, ok := range map[string]func(retention.Candidate) bool{
				"newest backup":      func(c retention.Candidate) bool { return usable(c, at) },
				"newest good backup": func(c retention.Candidate) bool { return usable(c, at) && !c.Damaged },
				"last proven backup": func(c retention.Candidate) bool { return usable(c, at) && !c.Damaged && c.Proven },
			} {
				if d := newest(ds, func(c retention.Candidate) bool { return holds(c, source) && ok(c) }); d != nil && d.Remove {
					t.Errorf("the %s of %q, %s, would be removed: %s", what, source, d.Name, d.Reason)
				}
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

func TestPlan_DamagedBackupNeverCostsAGoodOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backups, p := repository(t), policy(t)
		before := removable(retention.Plan(backups, p, now))
		damaged := retention.Candidate{
			Name: "zz_damaged", Damaged: true, Proven: rapid.Bool().Draw(t, "proven"),
			CreatedAt: now.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "age")) * time.Hour),
		}
		for _, d := range retention.Plan(append(slices.Clone(backups), damaged), p, now) {
			if d.Remove && !d.Damaged && !before[d.Name] {
				t.Errorf("the damaged backup makes %s removable: %s", d.Name, d.Reason)
			}
		}
	})
}

func TestPlan_FutureBackupCostsNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backups, p := repository(t), policy(t)
		before := removable(retention.Plan(backups, p, now))
		future := retention.Candidate{Name: "zz_future", Proven: true, CreatedAt: now.Add(time.Hour)}
		for _, d := range retention.Plan(append(slices.Clone(backups), future), p, now) {
			if d.Remove && !before[d.Name] {
				t.Errorf("the backup from the future makes %s removable: %s", d.Name, d.Reason)
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
			if d.Remove && !d.Damaged && good.CreatedAt.Sub(d.CreatedAt) <= p.MaxAge {
				t.Errorf("%s goes although it is within %v of %s", d.Name, p.MaxAge, good.Name)
			}
		}
	})
}

// Planning again after removing must not find more to remove: prune settles.
func TestPlan_Settles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policy(t)
		var left []retention.Candidate
		for _, d := range retention.Plan(repository(t), p, now) {
			if !d.Remove {
				left = append(left, d.Candidate)
			}
		}
		if again := removable(retention.Plan(left, p, now)); len(again) > 0 {
			t.Errorf("a second prune would remove %v", again)
		}
	})
}
