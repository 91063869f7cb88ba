//go:build linux

package test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
)

// The command line and the daemon work on one repository: what one does the other sees, and who
// has to wait is told for whom.
func TestServe_TheCommandLineBesideIt(t *testing.T) {
	t.Parallel()
	m := newServer(t, idle+gatedHooks+"retention: {days: 0, keep_last: 2}\n")
	m.script("gate.sh", gates)
	d := m.serveAPI()
	lists := func(want ...string) {
		t.Helper()
		d.until(fmt.Sprintf("the API lists %q", want), func() bool { return slices.Equal(d.names(), want) })
	}
	m.must(0, "backup", "--name", "monday", "--no-prune")
	lists("monday")
	m.touch("bot.db")
	m.must(0, "backup", "--name", "tuesday", "--no-prune")
	lists("tuesday", "monday")
	m.must(0, "--yes", "delete", "tuesday")
	lists("monday")
	m.must(0, "verify", "monday")
	d.until("the API shows the proof", func() bool {
		var page struct{ Total int }
		d.get("/backups?proven=true", &page)
		return page.Total == 1
	})

	// A restore of the daemon keeps the command line waiting, or out; reading goes on.
	m.sqlite("bot.db", "create table s(x); insert into s values ('present');")
	m.gate("stop")
	id := d.post("/backups/monday/restore", "").ID
	d.standsAt()
	for _, args := range [][]string{{"backup"}, {"--yes", "restore", "monday"}, {"prune"}, {"--yes", "delete", "monday"}} {
		_, stderr := m.must(holdfast.ExitLocked, args...)
		refusal(t, stderr, fmt.Sprintf("process %d", d.cmd.Process.Pid))
	}
	m.must(0, "list")
	verify := m.start("verify", "monday") // its proof waits for a moment
	if stdout, _ := m.must(0, "show", "monday"); !strings.Contains(stdout, "monday") {
		t.Errorf("show: %s", stdout)
	}
	m.freed() // the hook fails, and with it the restore
	if code := verify.wait(); code != 0 {
		t.Errorf("a verification beside the restore: exit %d\n%s", code, &verify.stderr)
	}
	if j := d.ended(id); j.State != job.Failed || j.Error == nil || !strings.Contains(j.Error.Message, "stop") {
		t.Errorf("the restore whose hook was killed: %s %+v", j.State, j.Error)
	}
	if got := m.sqlite("bot.db", "select x from s;"); got != "present" {
		t.Errorf("the database holds %q", got)
	}

	// A restore of the command line keeps the daemon waiting, which then goes on.
	m.gate("stop")
	restore := m.start("--yes", "restore", "monday")
	d.standsAt()
	wanted := d.post("/backups", `{"name":"friday","wait":false}`).ID
	if j := d.job(wanted); j.State.Ended() {
		t.Errorf("a backup beside a restore of another: %s %+v", j.State, j.Error)
	}
	m.freed()
	if code := restore.wait(); code == 0 {
		t.Error("a restore whose hook was killed succeeds")
	}
	if j := d.ended(wanted); j.State != job.Succeeded {
		t.Errorf("the backup that waited: %s %+v", j.State, j.Error)
	}

	// A restore on the command line while nothing else is at work: the daemon backs up what is
	// there then.
	m.must(0, "--yes", "restore", "monday")
	if d.makes(`{"trigger":"auto"}`) == "friday" {
		t.Error("a backup of the state before the restore stands for that after it")
	}
	stdout, _ := m.must(0, "prune", "--dry-run")
	m.must(0, "prune")
	if !strings.Contains(stdout, "monday") {
		t.Errorf("prune would remove: %s", stdout)
	}
	d.until("the API lists what pruning left", func() bool { return slices.Equal(d.names(), m.list().names()) })
	d.goesOn()
}

// A bot under `holdfast run` beside a daemon: a restore through the API asks it to let go, and it
// comes back with what was restored; so does the way back.
func TestServe_ABotThatLetsGo(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with(usualDelay)
	p := m.launch(append([]string{"run", "--"}, botCommand(t, "wal")...)...)
	p.await(30)
	d := m.with("HOLDFAST_VERIFY_EVERY=off", "HOLDFAST_DRILL_EVERY=off").serveAPI()
	low := p.acked(time.Now())
	d.makes(`{"name":"monday"}`)
	high := p.acked(time.Now()) + 2
	p.await(40)

	j := d.post("/backups/monday/restore", `{"wait":true}`)
	if j.State != job.Succeeded {
		t.Fatalf("the restore: %s %+v\n%s", j.State, j.Error, d)
	}
	if got := p.found(2, "wal"); got < low || got > high {
		t.Errorf("after the restore the program finds %d rows, want %d to %d", got, low, high)
	}
	ended := p.lastBefore(2)
	p.await(10)
	if j := d.post("/rollback", `{"wait":true}`); j.State != job.Succeeded {
		t.Fatalf("the rollback: %s %+v", j.State, j.Error)
	}
	if got := p.found(3, "wal"); got != ended {
		t.Errorf("after the rollback the program finds %d rows, it had written %d", got, ended)
	}
	p.await(10)

	// The daemon is killed while the bot has let go: the bot comes back by itself, and nobody is
	// left without it.
	d.post("/backups/monday/restore", "")
	p.until("the program is asked to end", func() bool { return len(p.printed("bye")) >= 3 })
	d.kill()
	if got := p.found(4, "wal"); got < low {
		t.Errorf("after the crash the program finds %d rows", got)
	}
	p.await(10)
	d = m.serveAPI()
	d.ask([]int{http.StatusOK}, http.MethodGet, "/status", "")
	d.makes("")
	d.ends(0)
	p.await(5)
	p.ends(0)
}
