//go:build linux

package test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/testserver"
)

// python is Debian's, whose standard library brings SQLite.
const python = "/usr/bin/python3"

// patience is how long anything may take before a test gives up.
const patience = 60 * time.Second

// A program is `holdfast run`, or guard, with the program that it runs. What that
// prints is read line by line.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr testserver.Output
	ended  chan struct{} // closed when holdfast has ended
	silent chan struct{} // closed when nobody is left who could print

	mu    sync.Mutex
	lines []line
}

// A line is what was printed, and when it was read: not before it was printed.
type line struct {
	text string
	at   time.Time
}

// programFile is the path of a program beside these tests.
func programFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "run", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// bot is the command line of the bot in Python.
func botCommand(t *testing.T, mode string) []string {
	t.Helper()
	return []string{python, programFile(t, "bot.py"), mode}
}

// launch starts holdfast with a program that goes on by itself.
func (m *machine) launch(args ...string) *program {
	m.t.Helper()
	return m.launchCommand(m.command(args...))
}

func (m *machine) launchCommand(cmd *exec.Cmd) *program {
	m.t.Helper()
	p := &program{t: m.t, cmd: cmd, ended: make(chan struct{}), silent: make(chan struct{})}
	out, in, err := os.Pipe()
	if err != nil {
		m.t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = in, &p.stderr
	p.cmd.WaitDelay = time.Second // whoever was left behind may hold standard error
	if err := p.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	in.Close()
	go func() {
		defer close(p.silent)
		for r := bufio.NewReader(out); ; {
			text, err := r.ReadString('\n')
			if err != nil {
				return
			}
			p.mu.Lock()
			p.lines = append(p.lines, line{strings.TrimSuffix(text, "\n"), time.Now()})
			p.mu.Unlock()
		}
	}()
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // its code is asked for by exit
	}()
	m.t.Cleanup(func() {
		p.crash()
		<-p.ended
		out.Close()
	})
	return p
}

// printed gives the lines that begin with a word, without it.
func (p *program) printed(word string) []line {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []line
	for _, l := range p.lines {
		if rest, ok := strings.CutPrefix(l.text+" ", word+" "); ok {
			out = append(out, line{strings.TrimSuffix(rest, " "), l.at})
		}
	}
	return out
}

// prints waits for the n-th line that begins with a word, and gives its rest.
func (p *program) prints(word string, n int) string {
	p.t.Helper()
	p.until(fmt.Sprintf("line %d with %q", n, word), func() bool { return len(p.printed(word)) >= n })
	return p.printed(word)[n-1].text
}

// until waits for something that happens while holdfast runs.
func (p *program) until(what string, is func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(3 * time.Millisecond) {
		select {
		case <-p.ended:
			<-time.After(50 * time.Millisecond) // its last lines
			if !is() {
				p.t.Fatalf("it ended (%s) before: %s\n%s", p.cmd.ProcessState, what, p)
			}
			return
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("never: %s\n%s", what, p)
		}
	}
}

// String shows what was printed, for a test that fails.
func (p *program) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for i, l := range p.lines {
		if i < 20 || i >= len(p.lines)-5 {
			fmt.Fprintln(&b, l.text)
		} else if i == 20 {
			fmt.Fprintln(&b, "…")
		}
	}
	return fmt.Sprintf("stdout:\n%sstderr:\n%s", &b, &p.stderr)
}

// acked is the number of the last row that was acknowledged before a moment.
func (p *program) acked(before time.Time) int {
	p.t.Helper()
	last := 0
	for _, l := range p.printed("ack") {
		if l.at.Before(before) {
			last = p.number(l.text)
		}
	}
	return last
}

func (p *program) number(text string) int {
	p.t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// await waits until the bot has acknowledged so many rows more.
func (p *program) await(more int) {
	p.t.Helper()
	p.prints("ack", len(p.printed("ack"))+more)
}

// found tells how many rows the bot met at its n-th start: they are whole and
// without a gap.
func (p *program) found(n int, mode string) int {
	p.t.Helper()
	text := p.prints("found", n)
	var got, check string
	var count, last int
	if _, err := fmt.Sscan(text, &got, &check, &count, &last); err != nil || got != mode || check != "ok" || count != last {
		p.t.Errorf("the program finds %q, %v: want %s, ok and rows without a gap", text, err, mode)
	}
	return count
}

// told is what the program read in HOLDFAST_STATUS at its n-th start.
func (p *program) told(n int) holdfast.Standing {
	p.t.Helper()
	var st holdfast.Standing
	text := p.prints("status", n)
	if err := json.Unmarshal([]byte(text), &st); err != nil {
		p.t.Fatalf("the status file is %q: %v", text, err)
	}
	return st
}

// signal sends a signal to holdfast alone.
func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end of holdfast and gives its code.
func (p *program) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("it does not end\n%s", p)
	}
	return p.cmd.ProcessState.ExitCode()
}

// ends asks for the end and wants this exit code.
func (p *program) ends(want int) {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if got := p.exit(); got != want {
		p.t.Errorf("exit %d, want %d\n%s", got, want, p)
	}
}

// crash ends holdfast and every program that told its id, without giving them
// time for anything.
func (p *program) crash() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
	for _, l := range p.printed("pid") {
		killProcess(p.t, p.number(l.text), p.cmd.Dir)
	}
}

// killProcess kills a process that a program in a directory of the tests said it
// is, and waits for its end.
func killProcess(t *testing.T, pid int, dir string) {
	t.Helper()
	if !livesIn(pid, dir) {
		return // it has ended, and its number may be another's
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Error(err)
	}
	for deadline := time.Now().Add(patience); livesIn(pid, dir); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not end", pid)
		}
	}
}

// livesIn tells whether a process lives and works in a directory.
func livesIn(pid int, dir string) bool {
	at, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && at == dir
}
