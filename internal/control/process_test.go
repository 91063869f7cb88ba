package control

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// TestMain lets the test binary be the processes that these tests are about.
func TestMain(m *testing.M) {
	role := os.Getenv("CONTROL_TEST_ROLE")
	if role == "" {
		os.Exit(m.Run())
	}
	if err := play(role, os.Args[1], os.Args[2]); err != nil {
		fmt.Println("error:", err, "hint:", holdfast.HintOf(err))
		os.Exit(1)
	}
}

// play is a program that holds a database, or a restore of it. It tells on standard
// output what happens, and ends when standard input does.
func play(role, state, data string) error {
	source, err := newDatabase("bot", data)
	if err != nil {
		return err
	}
	sources := []holdfast.Source{source}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = os.Stdin.Read(make([]byte, 1))
	}()
	switch role {
	case "program", "dying":
		s, err := Serve(state, sources, teller{dies: role == "dying"}, nil)
		if err != nil {
			return err
		}
		if err := s.Publish(teller{}.Standing()); err != nil {
			return err
		}
		fmt.Println("serving")
		<-ended
		return s.Close()
	case "restore":
		c := Owners(state, sources)
		if err := c.Stop(context.Background(), []string{"bot"}); err != nil {
			return err
		}
		fmt.Println("swapping")
		<-ended
		if err := c.Start(context.Background()); err != nil {
			return err
		}
		fmt.Println("done")
	}
	return nil
}

// teller is a program that tells what it is asked.
type teller struct{ dies bool }

func (p teller) Stop(_ context.Context, sources []string) error {
	fmt.Println("stop", sources)
	if p.dies {
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return err
		}
		return self.Kill()
	}
	return nil
}
func (teller) Start(context.Context) error { fmt.Println("start"); return nil }
func (teller) Abandoned(context.Context)   { fmt.Println("abandoned") }
func (teller) Standing() holdfast.Standing {
	return holdfast.Standing{State: holdfast.StandingReady, Message: "بد نیست", PID: os.Getpid()}
}

// process is one of these running.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	out string
	end func() // closes its standard input
	// ended is closed when it has ended.
	ended chan struct{}
}

func run(t *testing.T, role, state, data string) *process {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(os.Args[0], state, data)
	cmd.Env = append(os.Environ(), "CONTROL_TEST_ROLE="+role)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, out: out.Name(), end: func() { _ = in.Close() }, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // what it says tells more than its code
	}()
	t.Cleanup(p.kill)
	return p
}

// says waits until the process has said text.
func (p *process) says(text string) {
	p.t.Helper()
	for ended := false; ; {
		said, _ := os.ReadFile(p.out)
		if strings.Contains(string(said), text+"\n") {
			return
		}
		if ended {
			p.t.Fatalf("it says %q, not %q", said, text)
		}
		select {
		case <-p.ended:
			ended = true
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// wait waits for the end and gives all that was said.
func (p *process) wait() string {
	p.t.Helper()
	<-p.ended
	said, err := os.ReadFile(p.out)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(said)
}

// programs lists what lies in the folder of records.
func programs(t *testing.T, state string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(state, programsFolder))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestProcesses_ARestoreStopsAndStarts(t *testing.T) {
	state, data := t.TempDir(), filepath.Join(t.TempDir(), "bot.db")
	program := run(t, "program", state, data)
	program.says("serving")
	standings, err := Standings(t.Context(), state)
	if err != nil || len(standings) != 1 || standings[0].PID != program.cmd.Process.Pid || standings[0].Message != "بد نیست" {
		t.Errorf("standings %+v, %v", standings, err)
	}
	restore := run(t, "restore", state, data)
	restore.says("swapping")
	program.says("stop [bot]")

	// Another one is told who was first.
	other := run(t, "restore", state, data)
	if said, want := other.wait(), fmt.Sprintf("process %d on", restore.cmd.Process.Pid); !strings.Contains(said, want) || !strings.Contains(said, "is in use by") {
		t.Errorf("the second restore says %q, want %q", said, want)
	}

	restore.end()
	if said := restore.wait(); !strings.HasSuffix(said, "done\n") {
		t.Errorf("the restore says %q", said)
	}
	program.says("start")
	program.end()
	if said := program.wait(); said != "serving\nstop [bot]\nstart\n" {
		t.Errorf("the program says %q", said)
	}
	if left := programs(t, state); len(left) != 0 {
		t.Errorf("it leaves %q", left)
	}
	if standings, err := Standings(t.Context(), state); err != nil || len(standings) != 0 {
		t.Errorf("standings of nobody: %+v, %v", standings, err)
	}
}

func TestProcesses_ARestoreThatIsKilledIsFollowedByRecovery(t *testing.T) {
	state, data := t.TempDir(), filepath.Join(t.TempDir(), "bot.db")
	program := run(t, "program", state, data)
	program.says("serving")
	for range 2 { // and the program can be asked again
		restore := run(t, "restore", state, data)
		restore.says("swapping")
		restore.kill()
		program.says("abandoned")
		if err := os.Truncate(program.out, 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProcesses_AProgramThatIsKilledIsMissed(t *testing.T) {
	state, data := t.TempDir(), filepath.Join(t.TempDir(), "bot.db")
	program := run(t, "program", state, data)
	program.says("serving")
	restore := run(t, "restore", state, data)
	restore.says("swapping")
	program.kill()
	restore.end()
	said := restore.wait()
	if want := fmt.Sprintf("error: process %d on ", program.cmd.Process.Pid); !strings.Contains(said, want) || !strings.Contains(said, "it has ended") {
		t.Errorf("the restore says %q", said)
	}

	// What it left is removed by the next that looks, socket included.
	records, err := filepath.Glob(filepath.Join(state, programsFolder, "*"+recordSuffix))
	if err != nil || len(records) != 2 { // record and status
		t.Fatalf("%q, %v", records, err)
	}
	var socket string
	for _, name := range records {
		if r, err := readRecord(name); err == nil {
			socket = r.Socket
		}
	}
	again := run(t, "restore", state, data)
	again.says("swapping") // nobody is there to be asked
	if left := programs(t, state); len(left) != 0 {
		t.Errorf("of the dead program there is left: %q", left)
	}
	if _, err := os.Lstat(filepath.Dir(socket)); socket == "" || !os.IsNotExist(err) {
		t.Errorf("its socket %q is left: %v", socket, err)
	}
}

// A program that dies when it is asked holds nothing any more.
func TestProcesses_AProgramThatDiesOfBeingAsked(t *testing.T) {
	state, data := t.TempDir(), filepath.Join(t.TempDir(), "bot.db")
	program := run(t, "dying", state, data)
	program.says("serving")
	restore := run(t, "restore", state, data)
	restore.says("swapping")
	program.says("stop [bot]")
	if left := programs(t, state); len(left) != 0 {
		t.Errorf("there is left: %q", left)
	}
}

// A record names a process id that somebody else has by now: its lock tells that
// the program is dead.
func TestProcesses_AReusedProcessIDIsNobody(t *testing.T) {
	state, data := t.TempDir(), filepath.Join(t.TempDir(), "bot.db")
	program := run(t, "program", state, data)
	program.says("serving")
	living, err := living(state)
	if err != nil || len(living) != 1 {
		t.Fatalf("%+v, %v", living, err)
	}
	program.kill()
	r := living[0]
	r.PID = os.Getpid()
	if err := r.write(filepath.Join(state, programsFolder), "reused"); err != nil {
		t.Fatal(err)
	}
	restore := run(t, "restore", state, data)
	restore.says("swapping")
	if left := programs(t, state); len(left) != 0 {
		t.Errorf("there is left: %q", left)
	}
}
