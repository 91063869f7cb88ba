//go:build linux

package test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// names are the names of all backups.
func (m *machine) names() []string {
	m.t.Helper()
	code, stdout, stderr := m.run("list", "--quiet")
	if code != 0 && code != holdfast.ExitNotFound { // nobody has made the repository yet
		m.t.Fatalf("list: exit %d\n%s", code, stderr)
	}
	return strings.Fields(stdout)
}

// A platform starts a program again and again that ends at once: its code is
// passed on each time, nothing piles up, and the starts are counted.
func TestRun_ARestartLoop(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups")
	if code := m.with("BOT_ROWS=3").launch(append([]string{"run", "--"}, botCommand(t, "wal")...)...).exit(); code != 0 {
		t.Fatalf("exit %d", code)
	}
	before := m.names()
	const starts = 30
	for range starts {
		m.must(3, "run", "--", "/bin/sh", "-c", "exit 3")
	}
	if after := m.names(); len(after) != len(before) {
		t.Errorf("%d backups before %d starts that changed nothing, %d after: %q", len(before), starts, len(after), after)
	}
	p := m.launch(append([]string{"run", "--"}, botCommand(t, "wal")...)...)
	if sv := p.told(1).Survival; sv.Starts != starts+2 || sv.Kept != starts+1 || sv.State != holdfast.SurvivalKept {
		t.Errorf("the program is told of %+v, want %d starts", sv, starts+2)
	}
	if code := p.exit(); code != 0 {
		t.Errorf("exit %d", code)
	}
	left, err := os.ReadDir(m.path("backups", ".holdfast", "programs"))
	if err != nil || len(left) != 0 {
		t.Errorf("records of programs are left: %v, %v", left, err)
	}
}

// What ends at once, cannot be found or cannot be run gives the code that a shell
// would give.
func TestRun_ExitCodes(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups")
	m.fill("data/bot.db", 10)
	m.file("script", "#!/bin/sh\n")
	m.file("nonsense", "neither program nor script")
	if err := os.Chmod(m.path("nonsense"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		code    int
		command []string
		says    []string
	}{
		{0, []string{"true"}, nil},
		{1, []string{"false"}, nil},
		{255, []string{"/bin/sh", "-c", "exit 255"}, nil},
		{128 + 9, []string{"/bin/sh", "-c", "kill -9 $$"}, []string{"signal 9"}},
		{127, []string{"there-is-no-such-program"}, []string{"error: ", "there-is-no-such-program", "hint: "}},
		{127, []string{"./there-is-no-such-program"}, []string{"error: ", "hint: "}},
		{126, []string{"./script"}, []string{"error: ", "chmod +x"}},
		{126, []string{"./nonsense"}, []string{"error: ", "hint: "}},
		{126, []string{"/"}, []string{"error: "}},
		{2, nil, []string{"error: ", "hint: "}},
	} {
		for _, command := range [][]string{{"run"}, {"--sqlite", "data/bot.db", "guard"}} {
			args := append(append(command, "--"), test.command...)
			code, _, stderr := m.run(args...)
			if code != test.code {
				t.Errorf("%q: exit %d, want %d\n%s", args, code, test.code, stderr)
			}
			if command[0] == "run" || test.command == nil {
				contains(t, args[0], stderr, test.says...)
			}
		}
	}
}

// A program that does not heed SIGTERM is killed when the last backup needs what
// is left of the time, and that backup holds what it wrote.
func TestRun_AProgramThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with("HOLDFAST_SHUTDOWN_TIMEOUT=3s")
	p := m.launch("run", "--", python, programFile(t, "stubborn.py"))
	p.await(20)
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 128+9 {
		t.Errorf("exit %d, want %d\n%s", code, 128+9, p)
	}
	contains(t, "run", p.stderr.String(), "killed", "shutdown_timeout")
	if got, want := m.newestRows(), p.acked(time.Now()); got < want {
		t.Errorf("the last backup holds %d rows, %d were acknowledged\n%s", got, want, p)
	}
}

// A second signal kills at once, however long the timeout; one that only repeats the
// first, as tools send it that tell the process and its group, does not.
func TestRun_ASecondSignal(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with("HOLDFAST_SHUTDOWN_TIMEOUT=10m")
	p := m.launch("run", "--", python, programFile(t, "stubborn.py"))
	p.await(5)
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGTERM)
	p.until("the end has begun", func() bool { return strings.Contains(p.stderr.String(), "ending within") })
	time.Sleep(1100 * time.Millisecond) // no echo any more
	if strings.Contains(p.stderr.String(), "a second signal") {
		t.Errorf("the echo of a signal was taken for a second one\n%s", p)
	}
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 128+9 {
		t.Errorf("exit %d, want %d\n%s", code, 128+9, p)
	}
	if livesIn(p.number(p.prints("pid", 1)), m.dir) {
		t.Error("the program lives on")
	}
}

// A program that fails is started again with growing waits, and the end of the
// waiting is not the end of the backups.
func TestRun_RestartOnFailure(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with("BOT_ROWS=5", "BOT_EXIT=6")
	p := m.launch(append([]string{"run", "--restart=on-failure", "--"}, botCommand(t, "delete")...)...)
	p.prints("pid", 3)
	rows := p.acked(p.printed("pid")[2].at)
	if got := p.found(3, "delete"); got != rows {
		t.Errorf("the third start finds %d rows, want %d", got, rows)
	}
	p.prints("bye", 3)
	p.until("it waits", func() bool { return strings.Contains(p.stderr.String(), "3 times in a row; starting it again in 4s") })
	if st := m.state(p); st != holdfast.StandingRestarting {
		t.Errorf("status tells that the program is %q", st)
	}
	p.ends(128 + 15)
	if got := m.newestRows(); got != 18 {
		t.Errorf("the last backup holds %d rows, want 18", got)
	}
}

// A migration runs before the program; one that fails is undone, its words are
// shown and the program is not started.
func TestRun_Migrations(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with("BOT_ROWS=10")
	migrate := python + " '" + programFile(t, "migrate.py") + "'"
	line := func(migrate string) []string {
		return append([]string{"run", "--migrate", migrate, "--"}, botCommand(t, "wal")...)
	}
	version := func(want string) {
		t.Helper()
		if got := m.sqlite("data/bot.db", "PRAGMA integrity_check; PRAGMA user_version;"); got != "ok\n"+want {
			t.Errorf("the database is %q, want version %s", got, want)
		}
	}

	// The first start makes the schema; the next has nothing to do.
	for range 2 {
		p := m.launch(line(migrate)...)
		if code := p.exit(); code != 0 {
			t.Fatalf("exit %d\n%s", code, p)
		}
		contains(t, "run", p.stderr.String(), "the schema has version")
		version("2")
	}
	if n := m.rowsIn("data/bot.db"); n != 22 {
		t.Errorf("%d rows, want 22", n)
	}
	backups := len(m.names())
	_, stderr := m.must(1, line(migrate+" fail")...)
	contains(t, "run", stderr, "no such column: colour", "ไม่สำเร็จ", "ended with code 5", "restored", "error: ", "hint: ")
	version("2")
	if n := m.rowsIn("data/bot.db"); n != 22 {
		t.Errorf("after a failed migration: %d rows, want 22", n)
	}
	// A loop of starts that fail adds what the restore needs, not more.
	m.must(1, line(migrate+" fail")...)
	if n := len(m.names()); n > backups+2 {
		t.Errorf("two failed starts took the backups from %d to %s", backups, strconv.Itoa(n))
	}
	p := m.launch(line(migrate)...)
	if code := p.exit(); code != 0 || p.found(1, "wal") != 22 {
		t.Errorf("exit %d\n%s", code, p)
	}
}
