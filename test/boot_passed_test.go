//go:build linux

package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Where the newest backups are damaged, a start on a wiped disk passes them over by
// name and brings back the newest that proves good; with none that does, it does
// not begin anew beside them.
func TestBoot_PassesOverDamagedBackups(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.with("HOLDFAST_DELTAS=never")
	args := []string{"-database", "data/bot.db", "-repository", "backups", "-on-change", "1h"}
	d := m.deploy(append(args, "-writers", "1")...).up()
	var names []string
	var held []tally
	for range 3 {
		d.more(30)
		held = append(held, d.acknowledged())
		d.tell("backup")
		saved := d.answer("saved")
		names = append(names, strings.TrimPrefix(saved[len(saved)-1], "saved "))
		time.Sleep(2 * time.Millisecond) // no two are of one moment
	}
	d.kill()
	m.damage(names[1:]...)
	m.remove("data")

	d = m.deploy(append(args, "-run", "2")...).up()
	decision := d.last().Sources[0].Start
	if decision.Action != holdfast.StartRestored || string(decision.Backup) != names[0] {
		t.Errorf("the decision: %+v, want %s back", decision, names[0])
	}
	for _, name := range names[1:] {
		if !slices.ContainsFunc(decision.Passed, func(p holdfast.Problem) bool { return p.Object == name }) {
			t.Errorf("%s is not named as passed over: %+v", name, decision.Passed)
		}
	}
	if lost := d.rows().lacks(held[0]); lost != "" {
		t.Error(lost)
	}
	d.kill()

	everything, err := filepath.Glob(m.path("backups", "*_backup_*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range everything {
		if name := filepath.Base(dir); !slices.Contains(names[1:], name) && !strings.HasPrefix(name, ".") {
			m.damage(name)
		}
	}
	m.remove("data")
	d = m.deploy(append(args, "-run", "3")...)
	if d.started() {
		t.Fatal("it began anew beside backups that could not be restored")
	}
	if d.end() != 1 || !strings.Contains(d.stderr.String(), "no backup can be restored") {
		t.Errorf("it ended with %s:\n%s", d.cmd.ProcessState, &d.stderr)
	}
	if m.exists("data/bot.db") {
		t.Error("a start that failed left a database")
	}
}

// damage changes a byte in the middle of what backups of the directory backups
// store of the database.
func (m *machine) damage(names ...string) {
	m.t.Helper()
	for _, name := range names {
		found, err := filepath.Glob(m.path("backups", name, "bot", "bot.db*"))
		if err != nil || len(found) != 1 {
			m.t.Fatalf("%s holds %q, %v", name, found, err)
		}
		f, err := os.OpenFile(found[0], os.O_RDWR, 0)
		if err != nil {
			m.t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			m.t.Fatal(err)
		}
		var b [1]byte
		if _, err = f.ReadAt(b[:], info.Size()/2); err == nil {
			_, err = f.WriteAt([]byte{b[0] ^ 0x55}, info.Size()/2)
		}
		if err != nil {
			m.t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			m.t.Fatal(err)
		}
	}
}
