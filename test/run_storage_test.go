//go:build linux

package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// remount lets a mounted disk be writable or not.
func (m *machine) remount(name, how string) {
	m.t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,"+how, m.path(name)).CombinedOutput(); err != nil {
		m.t.Fatalf("remount %s: %v: %s", name, err, out)
	}
}

// A directory that cannot be written at the start: the database lies in memory,
// with everything that was on the disk, and says so; backups go on; a crash of both
// loses nothing; and when the directory works again the database returns, with
// everything that was acknowledged meanwhile.
func TestRun_AStorageThatCannotHoldTheData(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with("BOT_PAUSE=0.02")
	m.smallDisk("data", "20m")
	line := append([]string{"run", "--"}, botCommand(t, "wal")...)
	first := m.launch(line...)
	first.await(10)
	first.ends(0)
	written := first.acked(time.Now())
	m.remount("data", "ro")

	p := m.launch(line...)
	if got := p.found(1, "wal"); got != written {
		t.Errorf("in memory there are %d rows, on the disk %d", got, written)
	}
	home, away := m.path("data", "bot.db"), p.prints("path", 1)
	source := p.told(1).Sources[0]
	if away == home || source.At != away || source.DegradedSince == nil || source.Reason == "" || source.Storage.Usable {
		t.Errorf("the database is at %s, and the program is told %+v", away, source)
	}
	contains(t, "run", p.stderr.String(), "DEGRADED", "read-only", "hint: ")
	p.await(10)
	stdout, _ := m.besides(3, "--json", "status")
	var st struct{ Verdict string }
	if err := json.Unmarshal([]byte(stdout), &st); err != nil || st.Verdict != "degraded" {
		t.Errorf("the verdict is %q, %v\n%s", st.Verdict, err, stdout)
	}
	acked := p.acked(time.Now())
	p.until("a backup holds what was written in memory", func() bool { return m.newestRows() >= acked })
	_, stderr := m.besides(1, "restore", "latest")
	refusal(t, stderr, "read-only file system", "writable")

	p.crash()
	acked = p.acked(time.Now())
	p = m.launch(line...)
	if got := p.found(1, "wal"); got != acked && got != acked+1 {
		t.Errorf("after a crash there are %d rows, %d were acknowledged", got, acked)
	}
	m.remount("data", "rw")
	if at := p.prints("path", 2); at != home {
		t.Errorf("when the disk works the database is at %s", at)
	}
	if got, want := p.found(2, "wal"), p.lastBefore(2); got != want {
		t.Errorf("%d rows came home, %d were acknowledged", got, want)
	}
	p.until("it is ready", func() bool { return m.state(p) == holdfast.StandingReady })
	if _, err := os.Stat(away); err == nil {
		t.Errorf("%s was left in memory", away)
	}
	p.await(10)
	p.ends(0)
	if got, want := m.rowsIn("data/bot.db"), p.acked(time.Now()); got != want {
		t.Errorf("%d rows, %d were acknowledged", got, want)
	}
	if got, want := m.newestRows(), p.acked(time.Now()); got != want {
		t.Errorf("the last backup holds %d rows, %d were acknowledged", got, want)
	}
}

// Object storage that nobody answers for keeps no program with a healthy database
// from starting; one whose data is gone does not begin anew.
func TestRun_DeadObjectStorage(t *testing.T) {
	t.Parallel()
	m := newHost(t, "").with(s3test.Environment()...)
	m.with("HOLDFAST_REPOSITORY="+s3test.URL("127.0.0.1:1", "bucket", "prefix"), "HOLDFAST_SHUTDOWN_TIMEOUT=3s")
	m.fill("data/bot.db", 10)
	p := m.launch(append([]string{"run", "--"}, botCommand(t, "wal")...)...)
	if got := p.found(1, "wal"); got != 10 {
		t.Errorf("the program finds %d rows", got)
	}
	p.await(10)
	p.ends(holdfast.ExitIncomplete)
	contains(t, "run", p.stderr.String(), "last backup: ", "nothing of this run is saved", "hint: ")

	m.wipe("data")
	p = m.launch(append([]string{"run", "--"}, botCommand(t, "wal")...)...)
	if code := p.exit(); code != 1 || len(p.printed("pid")) != 0 {
		t.Errorf("exit %d\n%s", code, p)
	}
	refusal(t, p.stderr.String(), "127.0.0.1:1", "out of reach")
	if files, err := os.ReadDir(m.path("data")); err == nil {
		for _, f := range files {
			if strings.HasPrefix(f.Name(), "bot.db") {
				t.Errorf("%s was made", f.Name())
			}
		}
	}
}
