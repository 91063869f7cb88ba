//go:build linux

package test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Names as people give them, with spaces, in Thai and in Persian, are like any
// other, from the first start to a restore in another shell.
func TestRun_NamesOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"ข้อมูล ของบอท/ฐานข้อมูล หลัก.db", "داده‌های ربات/پایگاه داده.db", "it's \"quoted\" $HOME; x/bot's.db", "-v/--force.db"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t).with("DATABASE_PATH="+path, "HOLDFAST_REPOSITORY=พื้นที่ สำรอง/backups", "BOT_PAUSE=0.02")
			line := append([]string{"run", "--"}, botCommand(t, "wal")...)
			p := m.launch(line...)
			if got := p.prints("path", 1); got != m.path(path) {
				t.Errorf("DATABASE_PATH is %q", got)
			}
			p.await(10)
			globals := []string{"--sqlite=" + path, "--yes"}
			m.patiently(0, append(globals, "backup", "--name", "วันจันทร์")...)
			p.await(10)
			m.patiently(0, append(globals, "restore", "วันจันทร์")...)
			p.found(2, "wal")
			p.await(5)
			p.ends(0)
			m.wipe(filepath.Dir(path))
			again := m.launch(line...)
			if got, want := again.found(1, "wal"), p.acked(time.Now()); got != want {
				t.Errorf("after a wipe there are %d rows, %d were acknowledged", got, want)
			}
			again.ends(0)
		})
	}
}

// A program that nobody hears any more, and one that says very much, are programs
// like others.
func TestRun_SilenceAndNoise(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups")
	m.must(5, "run", "--", python, programFile(t, "mute.py"))
	if got := m.newestRows(); got != 100 {
		t.Errorf("the last backup of a silent program holds %d rows, want 100", got)
	}

	const noise = 100 << 20
	c := m.command("run", "--", "/bin/sh", "-c", fmt.Sprintf("head -c %d /dev/zero; exit 8", noise))
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, out)
	_ = c.Wait() // its code is looked at
	if err != nil || n != noise || c.ProcessState.ExitCode() != 8 {
		t.Errorf("%d bytes came through, %v, exit %d", n, err, c.ProcessState.ExitCode())
	}
	if m.launch("run", "--", "/bin/sh", "-c", "cat; exit 6").exit() != 6 {
		t.Error("a program that reads nothing from nowhere")
	}
}

// What a program leaves behind keeps holdfast neither from ending nor from its last
// backup, and does not outlive an end that was asked for.
func TestRun_ChildrenThatStayBehind(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups").with("HOLDFAST_SHUTDOWN_TIMEOUT=3s")
	p := m.launch("run", "--", python, programFile(t, "leftovers.py"), "go", "4")
	if code := p.exit(); code != 4 || m.newestRows() != 1 {
		t.Errorf("exit %d\n%s", code, p)
	}
	p = m.launch("run", "--", python, programFile(t, "leftovers.py"), "stay", "11")
	p.prints("up", 1)
	p.prints("pid", 2)
	p.ends(11)
	for _, l := range p.printed("pid") {
		if livesIn(p.number(l.text), m.dir) {
			t.Errorf("process %s outlives the end", l.text)
		}
	}
	if got := m.newestRows(); got != 2 {
		t.Errorf("the last backup holds %d rows, want 2", got)
	}
}

// Sources of several kinds: the program is told of each, DATABASE_PATH is set anew,
// and all of them come back after a wipe, before the program starts.
func TestRun_SourcesOfSeveralKinds(t *testing.T) {
	t.Parallel()
	m := newMachine(t).with("DATABASE_PATH=/nowhere/else.db", "HOLDFAST_REPOSITORY=backups", "BOT_ROWS=10")
	m.file("data/docs/คู่มือ.txt", "เอกสาร")
	m.fill("data/settings.db", 3)
	line := append([]string{
		"--files", "docs=data/docs", "--sqlite", "bot=data/bot.db", "--sqlite", "my-settings=data/settings.db", "run", "--",
		"/bin/sh", "-c", `echo "docs $DATABASE_PATH_DOCS"; echo "settings $DATABASE_PATH_MY_SETTINGS"; cat "$DATABASE_PATH_DOCS"/*; echo; exec "$@"`, "sh",
	}, botCommand(t, "wal")...)
	p := m.launch(line...)
	if code := p.exit(); code != 0 {
		t.Fatalf("exit %d\n%s", code, p)
	}
	m.wipe("data")
	again := m.launch(line...)
	if code := again.exit(); code != 0 || again.found(1, "wal") != 11 {
		t.Errorf("exit %d\n%s", code, again)
	}
	for word, want := range map[string]string{"docs": m.path("data", "docs"), "settings": m.path("data", "settings.db"), "path": m.path("data", "bot.db"), "เอกสาร": ""} {
		if got := again.prints(word, 1); got != want {
			t.Errorf("%s is %q, want %q", word, got, want)
		}
	}
	if n := m.rowsIn("data/settings.db"); n != 3 {
		t.Errorf("the settings have %d rows", n)
	}
	for _, s := range again.told(1).Sources {
		if s.Start == nil || s.Start.Action != holdfast.StartRestored {
			t.Errorf("%s: %+v", s.Name, s.Start)
		}
	}
	if left, err := os.ReadDir(m.path("data")); err != nil || strings.Contains(fmt.Sprint(left), "stage") {
		t.Errorf("left: %v, %v", left, err)
	}
}
