//go:build linux

package test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A failing is a way in which the storage of a running bot fails, and works
// again.
type failing struct {
	name string
	// make prepares the directory data and gives what breaks and mends it.
	make func(m *machine) (fail, mend func())
	// cures tells that the bot helps itself: nobody has to mend anything.
	cures bool
	kept  bool // what lies there when it works again is kept aside
}

// mount mounts something in the machine.
func (m *machine) mount(args ...string) {
	m.t.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		m.t.Fatalf("mount %q: %v: %s(this test needs root)", args, err, out)
	}
}

// unmount takes the uppermost mount away, whoever has files open there.
func (m *machine) unmount(name string) {
	m.t.Helper()
	if out, err := exec.Command("umount", "-l", m.path(name)).CombinedOutput(); err != nil {
		m.t.Fatalf("umount %s: %v: %s", name, err, out)
	}
}

// uncover takes away at the end whatever is mounted on a directory.
func (m *machine) uncover(name string) {
	m.t.Cleanup(func() {
		for exec.Command("umount", "-l", m.path(name)).Run() == nil { // until none is left
		}
	})
}

var failings = []failing{
	{name: "full", make: func(m *machine) (fail, mend func()) {
		m.smallDisk("data", "64m")
		return func() {
				f, err := os.Create(m.path("data", "ballast"))
				if err != nil {
					m.t.Fatal(err)
				}
				defer f.Close()
				for block := make([]byte, 4096); err == nil; {
					_, err = f.Write(block)
				}
			}, func() {
				m.remove("data/ballast")
			}
	}},
	{name: "read-only", make: func(m *machine) (fail, mend func()) {
		// Whoever has files open keeps a mount from becoming read-only, so a
		// view of it that is read-only is laid over it.
		m.smallDisk("disk", "64m")
		for _, dir := range []string{"data", "view"} {
			if err := os.Mkdir(m.path(dir), 0o755); err != nil {
				m.t.Fatal(err)
			}
			m.mount("--bind", m.path("disk"), m.path(dir))
			m.uncover(dir)
		}
		m.mount("-o", "remount,bind,ro", m.path("view"))
		return func() { m.mount("--bind", m.path("view"), m.path("data")) }, func() { m.unmount("data") }
	}},
	{name: "removed", cures: true, make: func(m *machine) (fail, mend func()) {
		return func() {
			for os.RemoveAll(m.path("data")) != nil { // the bot may write there just now
			}
		}, func() {}
	}},
	{name: "unmounted", cures: true, kept: true, make: func(m *machine) (fail, mend func()) {
		m.smallDisk("disk", "64m")
		if err := os.Mkdir(m.path("data"), 0o755); err != nil {
			m.t.Fatal(err)
		}
		m.uncover("data")
		m.mount("--bind", m.path("disk"), m.path("data"))
		return func() { m.unmount("data") }, func() { m.mount("--bind", m.path("disk"), m.path("data")) }
	}},
}

// The storage fails under a bot while four goroutines write, and works again,
// several times: of what was acknowledged nothing is lost, backups go on, and in
// the end the file on disk has it all.
func TestBoot_StorageFailsAgainAndAgain(t *testing.T) {
	t.Parallel()
	for _, f := range failings {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			fail, mend := f.make(m)
			d := m.deploy("-database", "data/bot.db", "-repository", "backups", "-on-change", "2s", "-writers", "4").up()
			for round := range 3 {
				d.more(100)
				d.savedAfter(time.Now())
				d.forget()
				d.more(100) // of which some are in no backup
				fail()
				d.was(holdfast.StandingDegraded)
				if !f.cures {
					st := d.last()
					if src := st.Sources[0]; st.State != holdfast.StandingDegraded || src.At != "memory" || src.Reason == "" || src.DegradedSince == nil || len(st.Problems) == 0 {
						t.Errorf("round %d: the status: %s, %+v, %+v", round, st.State, src, st.Problems)
					}
					d.more(200)
					d.savedAfter(time.Now())
					known := d.before(d.last().Backups.LastAt.Time)
					if lost := m.heldBy("backups", "latest").lacks(known); lost != "" {
						t.Errorf("round %d: a backup from memory: %s", round, lost)
					}
				}
				d.forget()
				mend()
				d.in(holdfast.StandingReady)
				d.more(100)
			}
			if f.kept {
				d.when("what was kept aside", func(st *holdfast.Standing) bool {
					return slices.ContainsFunc(st.Problems, func(p holdfast.Problem) bool { return p.Severity == holdfast.Warning })
				})
			}
			d.in(holdfast.StandingReady)
			d.tell("write 0")
			d.answer("writing")
			all := d.acknowledged()
			if here := d.rows(); !maps.Equal(here, all) {
				t.Errorf("the bot finds %v, and acknowledged were %v", here, all)
			}
			d.close()
			if here := m.onDisk("data/bot.db"); !maps.Equal(here, all) {
				t.Errorf("on disk are %v, and acknowledged were %v", here, all)
			}
			if held := m.heldBy("backups", "latest"); !maps.Equal(held, all) {
				t.Errorf("in the last backup are %v, and acknowledged were %v", held, all)
			}
			if n := len(d.refused()); n > 0 {
				t.Errorf("%d rows were refused, the first: %s", n, d.refused()[0])
			}
		})
	}
}

// forget forgets the states that were seen.
func (d *deployed) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.states = nil
}

// was waits for a state that may have passed already, since forget.
func (d *deployed) was(state holdfast.StandingState) {
	d.t.Helper()
	d.must(fmt.Sprint("the state ", state), func() bool { return slices.Contains(d.states, state) })
}
