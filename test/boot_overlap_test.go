//go:build linux

package test

import (
	"slices"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// noFailures wants that no backup of a bot has failed.
func (d *deployed) noFailures() {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.failed) > 0 {
		d.t.Errorf("backups failed: %q", d.failed)
	}
	if len(d.refuse) > 0 {
		d.t.Errorf("%d rows were refused, the first: %s", len(d.refuse), d.refuse[0])
	}
}

// Two instances of a rolling deploy work on one volume: both write, one makes the
// backups, and the other does as soon as that one is killed, or ends.
func TestBoot_OverlapOnOneVolume(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	deploy := func(run string) *deployed {
		return m.deploy("-database", "data/bot.db", "-repository", "backups", "-on-change", "2s", "-writers", "2", "-run", run).up()
	}
	first := deploy("1")
	first.savedAfter(time.Now())
	second := deploy("2")
	st := second.when("to be on standby", func(st *holdfast.Standing) bool { return st.Backups.Standby != "" })
	if st.Survival.State != holdfast.SurvivalTwo {
		t.Errorf("the second says %s: %s", st.Survival.State, st.Survival.Words)
	}
	for range 20 {
		first.savedAfter(time.Now())
	}
	if st := second.last(); st.Backups.Standby == "" {
		t.Errorf("the second makes backups beside the first: %+v", st.Backups)
	}
	first.more(50)
	second.more(50)
	first.noFailures()
	first.kill()
	killed := time.Now()

	second.savedAfter(killed)
	third := deploy("3")
	third.when("to be on standby", func(st *holdfast.Standing) bool { return st.Backups.Standby != "" })
	third.more(50)
	second.close()
	second.noFailures()
	ended := time.Now()
	if st := third.savedAfter(ended); st.Backups.Standby != "" {
		t.Errorf("the third still waits for %s", st.Backups.Standby)
	}
	all := first.acknowledged().with(second.acknowledged()).with(third.acknowledged())
	if lost := third.rows().lacks(all); lost != "" {
		t.Error(lost)
	}
	third.close()
	third.noFailures()
	all = all.with(third.acknowledged())
	if lost := m.onDisk("data/bot.db").lacks(all); lost != "" {
		t.Errorf("on disk: %s", lost)
	}
	m.must(0, "--repo", "backups", "verify", "--all")
	if lost := m.heldBy("backups", "latest").lacks(all); lost != "" {
		t.Errorf("in the last backup: %s", lost)
	}
}

// Two instances with a disk each share one repository: both know of the other
// within its lease, and no longer once it has ended; every backup of either is
// whole.
func TestBoot_OverlapOnTwoDisks(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	deploy := func(disk, run string) *deployed {
		return m.deploy("-database", disk+"/bot.db", "-repository", "backups", "-on-change", "4s", "-writers", "1", "-run", run).up()
	}
	first, second := deploy("disk1", "1"), deploy("disk2", "2")
	two := func(st *holdfast.Standing) bool { return st.Survival.State == holdfast.SurvivalTwo }
	first.when("to know of the second", two)
	second.when("to know of the first", two)
	for _, d := range []*deployed{first, second} {
		d.savedAfter(time.Now())
		d.tell("write 0")
		d.answer("writing")
		d.tell("backup")
		d.answer("saved")
	}
	second.close()
	first.when("to be alone", func(st *holdfast.Standing) bool {
		return st.Survival.State == holdfast.SurvivalKept || st.Survival.State == holdfast.SurvivalFirst
	})
	first.close()
	listed := m.list("--repo", "backups").names()
	m.must(0, "--repo", "backups", "verify", "--all")
	for i, d := range []*deployed{first, second} {
		d.noFailures()
		for name := range d.made {
			if !slices.Contains(listed, string(name)) {
				t.Errorf("backup %s of instance %d is gone", name, i+1)
			}
		}
		disk := []string{"disk1/bot.db", "disk2/bot.db"}[i]
		if lost := m.onDisk(disk).lacks(d.acknowledged()); lost != "" {
			t.Errorf("%s: %s", disk, lost)
		}
		last := string(d.last().Backups.Last)
		if lost := m.heldBy("backups", last).lacks(d.acknowledged()); lost != "" {
			t.Errorf("the last backup %s of instance %d: %s", last, i+1, lost)
		}
	}
}
