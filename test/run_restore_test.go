//go:build linux

package test

import (
	"encoding/json"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// The source and the repository as commands in another shell name them.
var botGlobals = []string{"--sqlite", "data/bot.db", "--repo", "backups", "--yes"}

// usualDelay keeps the backups after changes from having the repository all the
// time: who restores waits for them.
const usualDelay = "HOLDFAST_SCHEDULE_ON_CHANGE=1m"

// besides runs a command in another shell while the bot runs.
func (m *machine) besides(want int, args ...string) (stdout, stderr string) {
	m.t.Helper()
	return m.patiently(want, append(botGlobals[:len(botGlobals):len(botGlobals)], args...)...)
}

// patiently is must for commands that meet the backups of a running program: who
// is told that the repository is in use tries again.
func (m *machine) patiently(want int, args ...string) (stdout, stderr string) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		code, stdout, stderr := m.run(args...)
		if code == holdfast.ExitLocked && code != want && time.Now().Before(deadline) {
			continue
		}
		if code != want {
			m.t.Fatalf("holdfast %q: exit %d, want %d\nstdout:\n%s\nstderr:\n%s", args, code, want, stdout, stderr)
		}
		return stdout, stderr
	}
}

// A restore from another shell stops the program, replaces its data and starts it
// again; so does the way back. The program goes on writing each time.
func TestRun_ARestoreFromAnotherShell(t *testing.T) {
	bothModes(t, func(t *testing.T, mode string) {
		m := newHost(t, "backups").with(usualDelay)
		p := m.launch(append([]string{"run", "--"}, botCommand(t, mode)...)...)
		p.await(30)
		low := p.acked(time.Now())
		m.besides(0, "backup", "--name", "monday")
		high := p.acked(time.Now()) + 2
		p.await(40)

		stdout, _ := m.besides(0, "restore", "monday")
		contains(t, "restore", stdout, "Restored bot from monday", "emergency_restore_")
		if got := p.found(2, mode); got < low || got > high {
			t.Errorf("after the restore the program finds %d rows, want %d to %d", got, low, high)
		}
		ended := p.lastBefore(2)
		if len(p.printed("bye")) != 1 {
			t.Errorf("the program was not asked to end\n%s", p)
		}
		p.await(10)

		m.besides(0, "rollback")
		if got := p.found(3, mode); got != ended {
			t.Errorf("after the rollback the program finds %d rows, it had written %d", got, ended)
		}
		p.await(10)
		p.until("it is ready", func() bool { return m.state(p) == holdfast.StandingReady })
		p.ends(0)
		if got, want := m.rowsIn("data/bot.db"), p.acked(time.Now()); got != want {
			t.Errorf("%d rows, %d were acknowledged", got, want)
		}
	})
}

// lastBefore is the last row that the bot acknowledged before its n-th start.
func (p *program) lastBefore(n int) int {
	p.t.Helper()
	return p.acked(p.printed("pid")[n-1].at)
}

// Whoever restores is killed at random moments: the program is back by itself,
// with the old data or the new, whole.
func TestRun_TheRestorerIsKilled(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with("BOT_PAUSE=0.05", usualDelay)
	m.fill("data/bot.db", 6000)
	m.besides(0, "backup", "--name", "monday")
	p := m.launch(append([]string{"run", "--"}, botCommand(t, "wal")...)...)
	p.await(3)
	r := seeded(t)
	for round := range 12 {
		starts := len(p.printed("pid"))
		restore := m.start(append(botGlobals[:len(botGlobals):len(botGlobals)], "restore", "monday")...)
		if round%3 > 0 { // else at any moment before
			p.until("the program is stopped", func() bool { return len(p.printed("bye")) >= starts })
		}
		time.Sleep(time.Duration(r.IntN(40)) * time.Millisecond)
		restore.signal(syscall.SIGKILL)
		restore.wait()
		p.until("the program runs", func() bool {
			return len(p.printed("pid")) > len(p.printed("bye")) && m.state(p) == holdfast.StandingReady
		})
		if n := len(p.printed("pid")); n > starts {
			if before, got := p.lastBefore(n), p.found(n, "wal"); got != before && got != 6000 {
				t.Errorf("the program finds %d rows, neither the %d that it had nor the 6000 of the backup", got, before)
			}
		} else if round%3 > 0 {
			t.Errorf("round %d: the program was stopped and not started", round)
		}
		p.await(2)
		if round%2 == 0 { // else the next restore does it
			m.besides(0, "recover")
		}
	}
	p.ends(0)
	if got, want := m.rowsIn("data/bot.db"), p.acked(time.Now()); got != want {
		t.Errorf("%d rows, %d were acknowledged", got, want)
	}
}

// fill makes a bot's database of so many rows.
func (m *machine) fill(db string, rows int) {
	m.t.Helper()
	m.file(db+".made", "") // the folder
	m.wipe(db + ".made")
	m.sqlite(db, "CREATE TABLE rows(n INTEGER PRIMARY KEY, text); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<"+strconv.Itoa(rows)+") INSERT INTO rows SELECT i, hex(randomblob(400)) FROM n;")
}

// state is that of the one program that runs, as any surface sees it.
func (m *machine) state(p *program) holdfast.StandingState {
	m.t.Helper()
	for _, st := range m.programs() {
		if st.PID == p.cmd.Process.Pid {
			return st.State
		}
	}
	return ""
}

// programs are those that run in holdfast's care, as status tells of them.
func (m *machine) programs() []holdfast.Standing {
	m.t.Helper()
	_, stdout, _ := m.run(append(botGlobals[:len(botGlobals):len(botGlobals)], "--json", "status")...)
	var st struct{ Programs []holdfast.Standing }
	if err := json.Unmarshal([]byte(stdout), &st); err != nil {
		m.t.Fatalf("status: %v\n%s", err, stdout)
	}
	return st.Programs
}

// The run process itself is killed while a restore has its program stopped, or is
// about to: the restore ends well or is recovered, and the next start finds the
// old data or the new, whole.
func TestRun_TheRunnerIsKilledDuringARestore(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with("BOT_PAUSE=0.02", usualDelay)
	m.fill("data/bot.db", 6000)
	m.besides(0, "backup", "--name", "monday")
	r := seeded(t)
	line := append([]string{"run", "--"}, botCommand(t, "delete")...)
	for round := range 6 {
		p := m.launch(line...)
		p.await(2 + r.IntN(10))
		restore := m.start(append(botGlobals[:len(botGlobals):len(botGlobals)], "restore", "monday")...)
		time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
		p.crash()
		before := p.acked(time.Now())
		if round%2 == 0 {
			t.Logf("the restore ended with %d", restore.wait())
		}

		p = m.launch(line...)
		if got := p.found(1, "delete"); got != 6000 && got != before && got != before+1 {
			t.Errorf("round %d: the program finds %d rows, neither %d nor 6000\n%s", round, got, before, &restore.stderr)
		}
		if round%2 == 1 { // it may have stopped the new one as well
			t.Logf("the restore ended with %d", restore.wait())
			p.until("the program runs", func() bool { return m.state(p) == holdfast.StandingReady })
			if n := len(p.printed("pid")); n > 1 {
				p.found(n, "delete")
			}
		}
		p.signal(syscall.SIGTERM)
		if got := p.exit(); got != 0 {
			t.Errorf("round %d: exit %d\n%s", round, got, p)
		}
		m.besides(0, "recover")
	}
}

// Two programs with databases of their own and one repository: a restore of one
// leaves the other alone.
func TestRun_TwoProgramsOneRepository(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups")
	programs := map[string]*program{}
	for _, name := range []string{"one", "two"} {
		args := append([]string{"--sqlite", name + "/" + name + ".db", "run", "--"}, botCommand(t, "wal")...)
		programs[name] = m.launch(args...)
		programs[name].await(20)
	}
	one, two := programs["one"], programs["two"]
	globals := []string{"--sqlite", "one/one.db", "--repo", "backups", "--yes"}
	m.patiently(0, append(globals, "backup", "--name", "monday")...)
	one.await(20)
	m.patiently(0, append(globals, "restore", "monday")...)
	one.found(2, "wal")
	if n := len(two.printed("pid")); n != 1 {
		t.Errorf("the other program was started %d times", n)
	}
	for _, p := range programs {
		p.until("it is ready", func() bool { return m.state(p) == holdfast.StandingReady })
	}
	for name, p := range programs {
		p.await(10)
		p.ends(0)
		m.must(0, "restore", "latest", "--only", name, "--to", "copy_"+name)
		if got, want := m.rowsIn("copy_"+name+"/"+name+"/"+name+".db"), p.acked(time.Now()); got != want {
			t.Errorf("%s: the newest backup holds %d rows, %d were acknowledged", name, got, want)
		}
	}
}
