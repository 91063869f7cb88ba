//go:build linux

package test

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// A repository without room: the program goes on, status tells that its backups
// fail, and they go on by themselves when there is room again.
func TestRun_AFullRepository(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with("BOT_PAUSE=0.02")
	m.smallDisk("backups", "4m")
	p := m.launch(append([]string{"run", "--"}, botCommand(t, "wal")...)...)
	p.await(10)
	p.until("there is a backup", func() bool { return len(m.names()) > 0 })
	if err := os.WriteFile(m.path("backups", "ballast"), make([]byte, 8<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	p.until("it says that backups fail", func() bool { return strings.Contains(p.stderr.String(), "a backup failed") })
	stdout, _ := m.besides(holdfast.ExitIncomplete, "status")
	contains(t, "status", stdout, "fail")
	p.await(10)
	if err := os.Remove(m.path("backups", "ballast")); err != nil {
		t.Fatal(err)
	}
	p.until("backups work again", func() bool { return strings.Contains(p.stderr.String(), "backups work again") })
	p.ends(0)
	if got, want := m.newestRows(), p.acked(time.Now()); got != want {
		t.Errorf("the last backup holds %d rows, %d were acknowledged", got, want)
	}
}

// A program that does not serve again after a restore: the restore says so, the
// restored data is in place, and the way back is open.
func TestRun_AProgramThatDoesNotServeAgain(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with(usualDelay, "BOT_PAUSE=0.02", "HOLDFAST_RUN_READY_TIMEOUT=1s")
	p := m.launch(append([]string{"run", "--ready", "http://127.0.0.1:1/", "--"}, botCommand(t, "wal")...)...)
	p.await(10)
	m.besides(0, "backup", "--name", "monday")
	p.await(10)
	code, _, stderr := m.run(append(botGlobals[:len(botGlobals):len(botGlobals)], "restore", "monday")...)
	if code != holdfast.ExitIncomplete || !strings.Contains(stderr, "hint: ") || strings.Count(stderr, "no answer after 1s") != 1 {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	p.found(2, "wal")
	p.await(5)
	p.ends(0)
}

// A restore that meets the program while it waits for its next start lets it start
// on the restored data.
func TestRun_ARestoreBetweenTwoStarts(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with(usualDelay, "BOT_ROWS=5", "BOT_EXIT=1", "BOT_PAUSE=0")
	p := m.launch(append([]string{"run", "--restart=always", "--"}, botCommand(t, "delete")...)...)
	p.until("it waits long", func() bool { return strings.Contains(p.stderr.String(), "starting it again in 4s") })
	m.besides(0, "backup", "--name", "monday")
	rows := p.acked(time.Now())
	m.sqlite("data/bot.db", "DELETE FROM rows WHERE n > 1;")
	m.besides(0, "restore", "monday")
	n := len(p.printed("pid"))
	if n != 3 {
		t.Fatalf("a restore started the program: %d starts\n%s", n, p)
	}
	if got := p.found(4, "delete"); got != rows {
		t.Errorf("the next start finds %d rows, want %d", got, rows)
	}
	p.ends(1)
}

// A platform ends a start that is still restoring: it ends at once, nothing half
// restored is left in the database's place, and the next start restores it.
func TestRun_EndedWhileItRestores(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newHost(t, s.at("backups")).with(s3test.Environment()...).with("BOT_ROWS=40")
	line := append([]string{"run", "--"}, botCommand(t, "wal")...)
	if p := m.launch(line...); p.exit() != 0 {
		t.Fatal(p)
	}
	m.wipe("data", ".local")
	held, until := make(chan struct{}, 1), make(chan struct{})
	t.Cleanup(func() { close(until) })
	payload := func(r *http.Request) bool { return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/bot/") }
	s.proxy.Inject(s3test.Rule{When: payload, Fault: s3test.Hold(held, until, make(chan int, 1)), Times: 1})
	p := m.launch(line...)
	p.until("it restores", func() bool { return len(held) > 0 })
	p.signal(syscall.SIGTERM)
	code := p.exit()
	if code != holdfast.ExitInterrupted || len(p.printed("pid")) != 0 {
		t.Errorf("exit %d\n%s", code, p)
	}
	if _, err := os.Stat(m.path("data", "bot.db")); err == nil {
		t.Error("a database was left in place")
	}
	p = m.launch(line...)
	if got := p.found(1, "wal"); got != 41 {
		t.Errorf("the next start finds %d rows, want 41\n%s", got, p)
	}
	if code := p.exit(); code != 0 {
		t.Errorf("exit %d\n%s", code, p)
	}
}
