//go:build unix

package child

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// grace is longer than any step of these tests takes.
const grace = time.Minute

func shell(script string, args ...string) Command {
	return Command{Args: append([]string{"/bin/sh", "-c", script, "sh"}, args...)}
}

func start(t *testing.T, c Command) *Child {
	t.Helper()
	child, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := child.Stop(context.Background(), 0); err != nil {
			t.Error(err)
		}
	})
	return child
}

// patience is for how long a test waits for what must come.
const patience = time.Minute

// await waits until the file is there, and gives what it holds.
func await(t *testing.T, file string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		if data, err := os.ReadFile(file); err == nil && strings.HasSuffix(string(data), "\n") {
			return strings.TrimSpace(string(data))
		}
		select {
		case <-deadline:
			t.Fatalf("%s did not come", file)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// awaitEnd waits until a process is gone or a zombie that somebody else reaps.
func awaitEnd(t *testing.T, pid string) {
	t.Helper()
	id, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.After(patience)
	for {
		stat, _ := os.ReadFile("/proc/" + pid + "/stat")
		if syscall.Kill(id, 0) != nil || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("process %s still runs", pid)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func TestStart_RunsAndTellsTheCode(t *testing.T) {
	var out bytes.Buffer
	c := start(t, Command{Args: []string{"/bin/sh", "-c", `cat; printf '%s' "$WORD" >&2; exit 7`}, Env: []string{"WORD=سلام"}, Stdin: strings.NewReader("in "), Stdout: &out, Stderr: &out})
	if exit := c.Exit(); exit.Code != 7 || exit.Signal != nil || out.String() != "in سلام" {
		t.Errorf("%+v, %q", exit, out.String())
	}
}

func TestExit_SpeaksAsAShellDoes(t *testing.T) {
	for script, want := range map[string]struct {
		exit  ExitState
		words string
	}{
		"exit 0":        {ExitState{}, "ended with code 0"},
		"exit 255":      {ExitState{Code: 255}, "ended with code 255"},
		"kill -KILL $$": {ExitState{Code: 137, Signal: syscall.SIGKILL}, "ended by signal 9 (killed)"},
		"kill -TERM $$": {ExitState{Code: 143, Signal: syscall.SIGTERM}, "ended by signal 15 (terminated)"},
	} {
		if got := start(t, shell(script)).Exit(); got != want.exit || got.String() != want.words {
			t.Errorf("%s: %+v, %s", script, got, got)
		}
	}
}

func TestStart_WhatCannotBeRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a dir ที่นี่")
	for name, content := range map[string]string{
		"plain.txt": "text", "lost.sh": "#!/nothing/here\n", "bare": "echo hi\n", "ok.sh": "#!/bin/sh\nexit 5\n",
	} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o700)
		if name == "plain.txt" {
			mode = 0o600
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	for what, c := range map[string]struct {
		command Command
		code    int
		says    string
	}{
		"not in PATH":    {Command{Args: []string{"no-such-command-here"}}, 127, "no such command in PATH"},
		"no such path":   {Command{Args: []string{filepath.Join(dir, "nothing")}}, 127, "no such file"},
		"no interpreter": {Command{Args: []string{filepath.Join(dir, "lost.sh")}}, 127, "interpreter"},
		"not executable": {Command{Args: []string{filepath.Join(dir, "plain.txt")}}, 126, "may not be executed"},
		"a directory":    {Command{Args: []string{dir}}, 126, ""},
		"no first line":  {Command{Args: []string{filepath.Join(dir, "bare")}}, 126, "neither a program"},
		"no directory":   {Command{Args: []string{"/bin/true"}, Dir: filepath.Join(dir, "nothing")}, 126, "working directory"},
	} {
		_, err := Start(c.command)
		if err == nil || Code(err) != c.code || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.command.Args[0]) {
			t.Errorf("%s: %v, code %d, want %d and %q", what, err, Code(err), c.code, c.says)
		}
	}
	if _, err := Start(Command{}); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("nothing to run: %v", err)
	}
	if exit := start(t, Command{Args: []string{"./ok.sh"}, Dir: dir}).Exit(); exit.Code != 5 {
		t.Errorf("a relative path: %s", exit)
	}
}

// A file is handed on as it is: nothing copies, and nothing has to be waited for.
func TestStart_FilesAreTheChildsOwn(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c := shell(`sleep 600 & echo $! >"$1"; test "$1" -ef /dev/fd/1`, out.Name())
	c.Stdout = out
	child := start(t, c)
	if exit := child.Exit(); exit.Code != 0 { // although the sleep holds the file
		t.Errorf("standard output is another file: %s", exit)
	}
	if err := child.Stop(t.Context(), grace); err != nil {
		t.Error(err)
	}
	awaitEnd(t, await(t, out.Name()))
}

func TestSignal_ReachesTheWholeGroup(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	c := start(t, shell(`sleep 600 & echo $! >"$1"; wait`, pid))
	sleeper := await(t, pid)
	if err := c.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exit := c.Exit(); exit.Code != 143 {
		t.Errorf("the child %s", exit)
	}
	awaitEnd(t, sleeper)
}

func TestStop(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		grace  time.Duration
		code   int
	}{
		"asks first":         {`trap 'exit 3' TERM; echo >"$1"; while :; do sleep 0.01; done`, grace, 3},
		"kills the deaf":     {`trap '' TERM; echo >"$1"; while :; do sleep 0.01; done`, 50 * time.Millisecond, 137},
		"kills what is left": {`trap 'exit 4' TERM; (trap '' TERM; echo >"$1"; while :; do sleep 0.01; done) & while :; do sleep 0.01; done`, grace, 4},
		"has nothing to do":  {`echo >"$1"; exit 5`, grace, 5},
	} {
		t.Run(name, func(t *testing.T) {
			ready := filepath.Join(t.TempDir(), "ready")
			child := start(t, shell(c.script, ready))
			await(t, ready)
			if c.code == 5 {
				<-child.Done()
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.code == 4 { // its grace ends once the child itself has ended, however long that takes
				go func() { <-child.Done(); cancel() }()
			}
			if err := child.Stop(ctx, c.grace); err != nil {
				t.Fatal(err)
			}
			if exit := child.Exit(); exit.Code != c.code {
				t.Errorf("the child %s, want %d", exit, c.code)
			}
			if err := child.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
				t.Errorf("something of it is left: %v", err)
			}
		})
	}
}

// Its context is the patience of a caller: when that ends, there is no grace.
func TestStop_EndsAtOnceWithItsContext(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	child := start(t, shell(`trap '' TERM; echo >"$1"; while :; do sleep 0.01; done`, ready))
	await(t, ready)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := child.Stop(ctx, grace); err != nil || child.Exit().Code != 137 {
		t.Errorf("%v, %s", err, child.Exit())
	}
}

// What stands in the way of a stop by somebody else does not end the wait.
func TestExit_AStoppedChildHasNotEnded(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	child := start(t, shell(`echo >"$1"; kill -STOP $$; exit 6`, ready))
	await(t, ready)
	for {
		if err := child.Signal(syscall.SIGCONT); err != nil {
			break
		}
		select {
		case <-child.Done():
		case <-time.After(5 * time.Millisecond):
			continue
		}
		break
	}
	if exit := child.Exit(); exit.Code != 6 {
		t.Errorf("the child %s", exit)
	}
}
