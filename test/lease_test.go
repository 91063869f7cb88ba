//go:build linux

package test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// A process is holdfast while it runs.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr bytes.Buffer
}

func (m *machine) start(args ...string) *process {
	m.t.Helper()
	p := &process{t: m.t, cmd: m.command(args...)}
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	return p
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait gives the exit code.
func (p *process) wait() int {
	p.t.Helper()
	err := p.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return 0
}

// paused starts a command and returns when the request that matches has reached
// the proxy; it is sent on by the function that comes back.
func (s *store) paused(m *machine, when func(*http.Request) bool, args ...string) (p *process, goOn func()) {
	s.t.Helper()
	held, until := make(chan struct{}, 1), make(chan struct{})
	s.proxy.Inject(s3test.Rule{When: when, Fault: s3test.Hold(held, until, make(chan int, 1)), Times: 1})
	p = m.start(args...)
	select {
	case <-held:
	case <-time.After(time.Minute):
		s.t.Fatalf("the request never came: %s", &p.stderr)
	}
	return p, func() { close(until) }
}

// Two instances on one bucket: the second is told who writes, and writes when
// the first has ended.
func TestLease_OneWriterInABucket(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("backups"))
	m.grow("bot.db", 300)
	first, goOn := s.paused(m, s3test.Is("PUT", "/bot.db.zst"), "backup", "--name", "first")
	for _, args := range [][]string{{"backup"}, {"prune"}, {"compact"}} {
		_, stderr := m.must(holdfast.ExitLocked, args...)
		refusal(t, stderr, fmt.Sprintf("process %d", first.cmd.Process.Pid), "lease")
	}
	if got := m.list().names(); len(got) != 0 {
		t.Errorf("half a backup is listed: %q", got)
	}
	goOn()
	if code := first.wait(); code != 0 {
		t.Errorf("the first ends with %d: %s", code, &first.stderr)
	}
	m.must(0, "backup", "--name", "second")
	m.must(0, "verify", "--all")
}

// An owner that stands still for longer than its lease finds that another has
// written: it commits nothing and says so, wherever it was stopped.
func TestLease_AStoppedOwnerCommitsNothing(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(*http.Request) bool{
		"before a payload":    s3test.Is("PUT", "/bot.db.zst"),
		"before its manifest": s3test.Is("PUT", "/manifest.json"),
		"before its commit":   isCommitOf("stopped"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			m := newUser(t, s.at("backups"))
			m.grow("bot.db", 300)
			stopped, goOn := s.paused(m, at, "backup", "--name", "stopped")
			stopped.signal(syscall.SIGSTOP)
			m.afterLease("backup", "--name", "other")
			sum := m.sum("bot.db")
			m.touch("bot.db")
			stopped.signal(syscall.SIGCONT)
			goOn()
			if code := stopped.wait(); code != holdfast.ExitLocked {
				t.Errorf("the stopped owner ends with %d, want %d:\n%s", code, holdfast.ExitLocked, &stopped.stderr)
			}
			refusal(t, stopped.stderr.String(), "lock of the repository was lost")
			if got := m.list().names(); !slices.Equal(got, []string{"other"}) {
				t.Errorf("there are %q, want only what the other made", got)
			}
			ledger{"other": sum}.check(m)
			m.must(0, "backup", "--name", "again")
			m.must(0, "verify", "--all")
		})
	}
}

// isCommitOf tells whether a request is the conditional one that shows a backup.
func isCommitOf(name string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/"+name+"/backup_metadata.json") && r.ContentLength > 0 && r.Header.Get("If-Match") != ""
	}
}

// An owner that is stopped and that nobody followed goes on.
func TestLease_AStoppedOwnerGoesOn(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("backups"))
	m.grow("bot.db", 300)
	p, goOn := s.paused(m, s3test.Is("PUT", "/manifest.json"), "backup", "--name", "slow")
	p.signal(syscall.SIGSTOP)
	time.Sleep(leaseEnds + time.Second)
	p.signal(syscall.SIGCONT)
	goOn()
	if code := p.wait(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, &p.stderr)
	}
	m.must(0, "verify", "slow")
}

// The lease of an owner that was killed keeps others out until it is over, and
// no longer.
func TestLease_AKilledOwner(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("backups"))
	m.grow("bot.db", 300)
	p, goOn := s.paused(m, s3test.Is("PUT", "/bot.db.zst"), "backup", "--name", "killed")
	p.signal(syscall.SIGKILL)
	p.wait()
	goOn()
	_, stderr := m.must(holdfast.ExitLocked, "backup", "--name", "early")
	refusal(t, stderr, fmt.Sprintf("process %d", p.cmd.Process.Pid), "runs out")
	m.afterLease("backup", "--name", "killed")
	if got := m.list().names(); !slices.Equal(got, []string{"killed"}) {
		t.Errorf("there are %q", got)
	}
	m.must(0, "verify", "--all")
}

// In a directory the lease lives as long as its process: one that is stopped
// keeps others out, one that is killed does not.
func TestLease_OneWriterInADirectory(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.grow("bot.db", 300)
	m.script("hold.sh", "\necho reached >held\nread -r <go\n")
	m.shell("mkfifo go")
	m.file("holdfast.yaml", "repository: backups\nsources: {bot: {type: sqlite, path: bot.db}}\nhooks: {stop: bash hold.sh, start: \"true\"}\n")
	m.must(0, "backup", "--name", "monday")
	m.touch("bot.db")
	restore := m.start("--yes", "restore", "monday")
	for deadline := time.Now().Add(time.Minute); !m.exists("held"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the stop hook was never run: %s", &restore.stderr)
		}
	}
	restore.signal(syscall.SIGSTOP)
	_, stderr := m.must(holdfast.ExitLocked, "backup", "--name", "tuesday")
	refusal(t, stderr, fmt.Sprintf("process %d", restore.cmd.Process.Pid))
	restore.signal(syscall.SIGKILL)
	restore.wait()
	m.shell("echo go >go") // the hook itself goes on and ends
	m.must(0, "backup", "--name", "tuesday")
	m.must(0, "verify", "--all")
}
