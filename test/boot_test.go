//go:build linux

package test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// botBinary is the bot of the folder testbot, which uses package boot as any
// bot would. It is built by the first test that needs it.
var botBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(binary), "testbot")
	build := exec.Command("go", "build", "-o", path, "./testbot")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./testbot: %w\n%s", err, out)
	}
	return path, nil
})

// enough bounds every wait for something that must happen. It says nothing
// about how long that should take: the machine may be busy.
const enough = 90 * time.Second

// A deployed is a bot in a process of its own.
type deployed struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed when the process has ended, and all it said was read

	mu     sync.Mutex
	heard  *sync.Cond // something below has changed
	said   []string   // what is neither an ack nor a status
	taken  int        // of said, by answers
	acks   []ack
	refuse []string
	status *holdfast.Standing // the last one
	states []holdfast.StandingState
	made   map[holdfast.BackupName]bool // the newest backups that it told of
	failed []string                     // what it told of backups that failed
	stderr tail
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const stderrTail = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text = append(t.text, p...); len(t.text) > 2*stderrTail {
		t.text = append([]byte(nil), t.text[len(t.text)-stderrTail:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// deploy starts a bot in the machine. It is killed with the test.
func (m *machine) deploy(args ...string) *deployed {
	m.t.Helper()
	program, err := botBinary()
	if err != nil {
		m.t.Fatal(err)
	}
	d := &deployed{t: m.t, cmd: exec.Command(program, args...), ended: make(chan struct{}), made: map[holdfast.BackupName]bool{}}
	d.heard = sync.NewCond(&d.mu)
	d.cmd.Dir = m.dir
	d.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.dir, "TMPDIR=" + os.TempDir()}, m.env...)
	d.cmd.Stderr = &d.stderr
	if d.stdin, err = d.cmd.StdinPipe(); err != nil {
		m.t.Fatal(err)
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go d.listen(out)
	m.t.Cleanup(func() {
		d.kill()
		if m.t.Failed() {
			m.t.Logf("the bot %q said at last:\n%s", args, &d.stderr)
		}
	})
	return d
}

// listen reads what the bot says until it ends.
func (d *deployed) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		d.hear(lines.Text())
	}
	_ = d.cmd.Wait() // how it ended is in ProcessState
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.ended)
	d.heard.Broadcast()
}

func (d *deployed) hear(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.heard.Broadcast()
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "ack":
		var a ack
		var nanos int64
		// A line that a kill has cut acknowledges nothing.
		if n, _ := fmt.Sscan(rest, &a.run, &a.writer, &a.n, &nanos); n == 4 {
			a.at = time.Unix(0, nanos)
			d.acks = append(d.acks, a)
		}
	case "refused":
		d.refuse = append(d.refuse, rest)
	case "status":
		st := new(holdfast.Standing)
		if json.Unmarshal([]byte(rest), st) != nil {
			return
		}
		d.status = st
		if b := st.Backups; b.Last != "" {
			d.made[b.Last] = true
		}
		if e := st.Backups.Error; e != "" && !slices.Contains(d.failed, e) {
			d.failed = append(d.failed, e)
		}
		if n := len(d.states); n == 0 || d.states[n-1] != st.State {
			d.states = append(d.states, st.State)
		}
	default:
		d.said = append(d.said, line)
	}
}

// until waits for something that becomes true with what the bot says. It tells
// whether it did before the bot ended.
func (d *deployed) until(what string, ok func() bool) bool {
	d.t.Helper()
	late := time.AfterFunc(enough, d.heard.Broadcast)
	defer late.Stop()
	begun := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for !ok() {
		select {
		case <-d.ended:
			return false
		default:
		}
		if time.Since(begun) >= enough {
			d.t.Fatalf("%s: not within %v; the bot stands as %s", what, enough, d.standing())
		}
		d.heard.Wait()
	}
	return true
}

// must is until, of a bot that goes on.
func (d *deployed) must(what string, ok func() bool) {
	d.t.Helper()
	if !d.until(what, ok) {
		d.t.Fatalf("%s: the bot has ended, %s:\n%s", what, d.cmd.ProcessState, &d.stderr)
	}
}

// standing is the last status in one line, for a message. The lock is held.
func (d *deployed) standing() string {
	data, err := json.Marshal(d.status)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// started waits until the bot has its database, and tells whether it did
// before it ended.
func (d *deployed) started() bool {
	d.t.Helper()
	return d.until("the start", func() bool { return slices.Contains(d.said, "started") && d.status != nil })
}

// up is started, of a bot that must start.
func (d *deployed) up() *deployed {
	d.t.Helper()
	if !d.started() {
		d.t.Fatalf("the bot did not start, %s:\n%s", d.cmd.ProcessState, &d.stderr)
	}
	return d
}

// when waits for a status.
func (d *deployed) when(what string, ok func(st *holdfast.Standing) bool) *holdfast.Standing {
	d.t.Helper()
	var seen *holdfast.Standing
	d.must(what, func() bool {
		if d.status != nil && ok(d.status) {
			seen = d.status
		}
		return seen != nil
	})
	return seen
}

// in waits for a state.
func (d *deployed) in(state holdfast.StandingState) *holdfast.Standing {
	d.t.Helper()
	return d.when("the state "+string(state), func(st *holdfast.Standing) bool { return st.State == state })
}

// last is the last status.
func (d *deployed) last() *holdfast.Standing {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

// more waits until n more rows are committed.
func (d *deployed) more(n int) {
	d.t.Helper()
	d.mu.Lock()
	want := len(d.acks) + n
	d.mu.Unlock()
	d.must(fmt.Sprintf("%d more rows", n), func() bool { return len(d.acks) >= want })
}

// acknowledged is how far the writers came, as far as they were told.
func (d *deployed) acknowledged() tally { return d.before(time.Time{}) }

// before is acknowledged, up to some moment; zero is now.
func (d *deployed) before(moment time.Time) tally {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := tally{}
	for _, a := range d.acks {
		if moment.IsZero() || a.at.Before(moment) {
			out[a.hand] = max(out[a.hand], a.n)
		}
	}
	return out
}

// refused are the rows that were not taken, and why.
func (d *deployed) refused() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.refuse)
}

// tell gives the bot a command.
func (d *deployed) tell(format string, args ...any) {
	d.t.Helper()
	if _, err := fmt.Fprintf(d.stdin, format+"\n", args...); err != nil {
		d.t.Fatalf("the bot hears nothing: %v:\n%s", err, &d.stderr)
	}
}

// answer waits for the next line that begins with a word, and gives what was
// said up to it.
func (d *deployed) answer(word string) (lines []string) {
	d.t.Helper()
	d.must("the answer "+word, func() bool {
		for i := d.taken; i < len(d.said); i++ {
			if first, _, _ := strings.Cut(d.said[i], " "); first == word {
				lines = slices.Clone(d.said[d.taken : i+1])
				d.taken = i + 1
				return true
			}
		}
		return false
	})
	return lines
}

// rows asks what is in the database, which must be sound and without gaps.
func (d *deployed) rows() tally {
	d.t.Helper()
	d.tell("rows")
	out := tally{}
	for _, line := range d.answer("checked") {
		var h hand
		var count, last int
		if n, _ := fmt.Sscanf(line, "row %d %d %d %d", &h.run, &h.writer, &count, &last); n == 4 {
			if count != last {
				d.t.Fatalf("writer %v: %d rows up to number %d: there are gaps", h, count, last)
			}
			out[h] = last
		} else if strings.HasPrefix(line, "checked") && line != "checked ok" {
			d.t.Fatalf("the database is damaged: %s", line)
		}
	}
	return out
}

// kill ends the bot as a crash does.
func (d *deployed) kill() {
	_ = d.cmd.Process.Kill() // it may have ended
	<-d.ended
}

func (d *deployed) signal(s syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
}

// end waits for the end, and gives the exit code; -1 after a signal.
func (d *deployed) end() int {
	d.t.Helper()
	select {
	case <-d.ended:
	case <-time.After(enough):
		d.t.Fatalf("the bot does not end:\n%s", &d.stderr)
	}
	return d.cmd.ProcessState.ExitCode()
}

// close ends the bot in order.
func (d *deployed) close() {
	d.t.Helper()
	d.signal(syscall.SIGTERM)
	if code := d.end(); code != 0 {
		d.t.Fatalf("the bot ended with %d:\n%s", code, &d.stderr)
	}
}

// remove removes files or directories, and whatever is in them.
func (m *machine) remove(names ...string) {
	m.t.Helper()
	var errs []error
	for _, name := range names {
		errs = append(errs, os.RemoveAll(m.path(name)))
	}
	if err := errors.Join(errs...); err != nil {
		m.t.Fatal(err)
	}
}
