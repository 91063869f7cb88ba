//go:build linux

package test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A platform suspends the bot without a word: every change that is older than
// on_change is in the repository by then. When it wakes, the rest follows.
func TestBoot_Suspended(t *testing.T) {
	t.Parallel()
	const (
		onChange = 2 * time.Second
		busy     = 4 * time.Second // how far behind this machine, which is shared, may be
	)
	m := newMachine(t)
	d := m.deploy("-database", "data/bot.db", "-repository", "backups", "-on-change", onChange.String(), "-every", "10s", "-writers", "2").up()
	checked := 0
	for round := range 3 {
		for range 4 { // backups, however busy the writers
			d.savedAfter(time.Now())
		}
		d.signal(syscall.SIGSTOP)
		d.stopped()
		moment := time.Now()
		st := d.last()
		held := m.heldBy("backups", "latest")
		older := d.before(moment.Add(-onChange - busy)).with(d.before(st.Backups.LastAt.Time))
		if lost := held.lacks(older); lost != "" {
			t.Errorf("round %d: the backups of a suspended bot: %s", round, lost)
		}
		checked += len(older)
		all := d.acknowledged()
		d.signal(syscall.SIGCONT)
		d.savedAfter(moment)
		if lost := m.heldBy("backups", "latest").lacks(all); lost != "" {
			t.Errorf("round %d: after it woke: %s", round, lost)
		}
	}
	if checked == 0 {
		t.Error("no change was old enough: nothing was checked")
	}
	d.close()
	if lost := m.onDisk("data/bot.db").lacks(d.acknowledged()); lost != "" {
		t.Error(lost)
	}
}

// savedAfter waits for a backup that was begun after a moment.
func (d *deployed) savedAfter(moment time.Time) *holdfast.Standing {
	d.t.Helper()
	return d.when("a backup", func(st *holdfast.Standing) bool {
		return st.Backups.LastAt != nil && st.Backups.LastAt.After(moment)
	})
}

// stopped waits until the bot stands still.
func (d *deployed) stopped() {
	d.t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
		if err != nil {
			d.t.Fatal(err)
		}
		if _, after, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(after, "T") {
			return
		}
		if time.Since(begun) > enough {
			d.t.Fatalf("the bot does not stop: %s", stat)
		}
	}
}
