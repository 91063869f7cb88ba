//go:build linux

package test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// launchFirst starts holdfast as the first process of a PID namespace, as the entry
// point of a container is.
func (m *machine) launchFirst(args ...string) *program {
	m.t.Helper()
	c := m.command(args...)
	inside := exec.Command("unshare", append([]string{"--pid", "--fork", "--mount-proc", "--kill-child", "--", c.Path}, c.Args[1:]...)...)
	inside.Dir, inside.Env = c.Dir, c.Env
	return m.launchCommand(inside)
}

// firstProcess is the id that the namespace's first process has outside.
func (p *program) firstProcess() int {
	p.t.Helper()
	pid := 0
	p.until("the namespace has a process", func() bool {
		outside := p.cmd.Process.Pid
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", outside, outside))
		if err != nil {
			return false
		}
		_, err = fmt.Sscan(string(children), &pid)
		return err == nil
	})
	return pid
}

// As a container's entry point: orphans are reaped, SIGTERM from outside ends the
// program and then everything, and the last backup holds what it wrote.
func TestRun_AsAContainersFirstProcess(t *testing.T) {
	bothModes(t, func(t *testing.T, mode string) {
		m := newHost(t, "backups").with("BOT_EXIT=33")
		p := m.launchFirst(append([]string{"run", "--", "/bin/sh", programFile(t, "orphans.sh")}, botCommand(t, mode)...)...)
		if got := p.prints("zombies", 1); got != "0" {
			t.Errorf("%s zombies", got)
		}
		if got := p.prints("first", 1); !strings.HasPrefix(got, binary+" run ") {
			t.Errorf("the first process is %q", got)
		}
		p.await(30)
		if err := syscall.Kill(p.firstProcess(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := p.exit(); code != 33 {
			t.Errorf("exit %d, want 33\n%s", code, p)
		}
		p.prints("bye", 1)
		if got, want := m.newestRows(), p.acked(time.Now()); got != want {
			t.Errorf("the last backup holds %d rows, %d were acknowledged\n%s", got, want, p)
		}
	})
}

// The same for a container that is killed and comes back with an empty disk: what
// the other container left is not taken for a process of this one.
func TestRun_AContainerIsReplaced(t *testing.T) {
	t.Parallel()
	m := newHost(t, "backups")
	line := append([]string{"run", "--"}, botCommand(t, "wal")...)
	p := m.launchFirst(line...)
	p.await(20)
	p.until("a backup has rows", func() bool { return len(m.names()) > 1 })
	p.crash()
	<-p.silent
	m.wipe("data")
	again := m.launchFirst(line...)
	if rows := again.found(1, "wal"); rows == 0 || rows > p.acked(time.Now())+1 {
		t.Errorf("the next container finds %d rows\n%s", rows, again)
	}
	again.await(5)
	if err := syscall.Kill(again.firstProcess(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := again.exit(); code != 0 {
		t.Errorf("exit %d\n%s", code, again)
	}
}
