//go:build linux

package test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// smallDisk mounts a tmpfs of size at name inside the machine. The tests run
// as root, in CI as elsewhere (./test.sh says so).
func (m *machine) smallDisk(name, size string) {
	m.t.Helper()
	dir := m.path(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		m.t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		m.t.Fatalf("mount a tmpfs on %s: %v: %s(this test needs root)", dir, err, out)
	}
	m.t.Cleanup(func() {
		// A process that another test is just starting has, until it runs
		// its program, a copy of every file that is open here.
		for try := 0; ; try++ {
			out, err := exec.Command("umount", dir).CombinedOutput()
			if err == nil {
				return
			}
			if try == 50 {
				m.t.Errorf("umount %s: %v: %s", dir, err, out)
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

const someRows = "create table t(x blob); with recursive n(i) as (select 1 union all select i+1 from n where i<6000) insert into t select randomblob(900) from n;"

// A full repository disk refuses with exit 13 before anything is written, and
// leaves the earlier backups as they were.
func TestDisk_FullRepository(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.smallDisk("backups", "3m")
	m.sqlite("small.db", "create table t(x); insert into t values (1);")
	m.sqlite("bot.db", someRows)
	m.must(0, "--sqlite", "small.db", "--repo", "backups", "backup", "--name", "first")
	_, stderr := m.must(13, "--sqlite", "bot.db", "--repo", "backups", "backup", "--name", "refused")
	if !strings.Contains(stderr, "hint:") {
		t.Errorf("no hint on a full disk:\n%s", stderr)
	}
	m.must(0, "--repo", "backups", "verify", "--all")
	if stdout, _ := m.must(0, "--repo", "backups", "list"); !strings.Contains(stdout, "first") || strings.Contains(stdout, "refused") {
		t.Errorf("after a refused backup, list shows:\n%s", stdout)
	}
}

// A target on a disk without room for the stage beside it refuses and keeps
// the target.
func TestDisk_FullTarget(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.smallDisk("live", "9m")
	m.sqlite("live/bot.db", someRows)
	m.must(0, "--sqlite", "live/bot.db", "--repo", "backups", "backup", "--name", "monday")
	if err := os.WriteFile(m.path("live", "ballast"), make([]byte, 2<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	before := m.sum("live/bot.db")
	_, stderr := m.must(13, "--sqlite", "live/bot.db", "--repo", "backups", "--yes", "restore", "monday")
	if !strings.Contains(stderr, "bot.db") && !strings.Contains(stderr, "live") {
		t.Errorf("the refusal does not say where room is missing:\n%s", stderr)
	}
	if m.sum("live/bot.db") != before {
		t.Fatal("a refused restore changed the target")
	}
}

// A target that is a mount point cannot be renamed; it is swapped entry by
// entry inside.
func TestDisk_TargetIsAMountPoint(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.smallDisk("docs", "20m")
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(m.path("docs", name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.txt", "monday's")
	global := []string{"--files", "docs", "--repo", "backups", "--yes"}
	m.must(0, append(global, "backup", "--name", "monday")...)
	write("a.txt", "overwritten")
	write("b.txt", "new since monday")
	m.must(0, append(global, "restore", "monday")...)
	if got, err := os.ReadFile(m.path("docs", "a.txt")); string(got) != "monday's" || err != nil {
		t.Errorf("a.txt is %q, %v", got, err)
	}
	if _, err := os.Stat(m.path("docs", "b.txt")); err == nil {
		t.Error("b.txt survived a restore to a moment at which it did not exist")
	}
	m.must(0, append(global, "rollback")...)
	if got, err := os.ReadFile(m.path("docs", "b.txt")); string(got) != "new since monday" || err != nil {
		t.Errorf("after rollback b.txt is %q, %v", got, err)
	}
}
