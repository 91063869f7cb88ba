package child

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-backup/holdfast/internal/terminaltest"
)

// atTerminal is what a test runs in a session of its own: a program whose child
// has the terminal. It tells what happens.
func atTerminal() int {
	interrupted := make(chan os.Signal, 4)
	signal.Notify(interrupted, os.Interrupt)
	// A shell that starts nothing: one that is stopped between vfork and exec of
	// what it starts hangs until that is continued, under any parent.
	c, err := Start(Command{
		Args:  []string{"/bin/sh", "-c", `trap 'echo child interrupted; exit 5' INT; trap 'echo child continued' CONT; echo child ready; while :; do read line; done`},
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	exit := c.Exit()
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	fmt.Printf("exit %d, terminal is ours %v, interrupts of ours %d\n", exit.Code, err == nil && group == syscall.Getpgrp(), len(interrupted))

	// One that cannot be started must not take the terminal along.
	_, err = Start(Command{Args: []string{"/etc/passwd"}, Stdin: os.Stdin})
	group, _ = unix.IoctlGetInt(0, unix.TIOCGPGRP)
	fmt.Printf("failed %v, terminal is ours %v\n", err != nil, group == syscall.Getpgrp())
	return exit.Code
}

// A screen collects what a terminal shows.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.text.Write(p)
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (s *screen) waitFor(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		shown := s.text.String()
		s.mu.Unlock()
		if strings.Contains(shown, text) {
			return
		}
		select {
		case <-s.more:
		case <-deadline:
			t.Fatalf("%q was not shown, but %s", text, shown)
		}
	}
}

func TestStart_TheChildHasTheTerminal(t *testing.T) {
	person, program := terminaltest.Open(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CHILD_TEST_ROLE=terminal")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	shown := &screen{more: make(chan struct{}, 1)}
	var reader sync.WaitGroup
	reader.Go(func() { _, _ = io.Copy(shown, person) }) // ends with the session
	defer reader.Wait()
	defer func() { _ = cmd.Process.Kill() }() // of a test that failed; else it has ended

	shown.waitFor(t, "child ready")
	// A shell that is signalled just before it reads learns of it only when it
	// has read a line: each key comes with one.
	// Nobody could continue this session, so that Ctrl-Z must not stop it.
	if _, err := person.WriteString("\x1a\n"); err != nil {
		t.Fatal(err)
	}
	shown.waitFor(t, "child continued")
	if _, err := person.WriteString("\x03\n"); err != nil {
		t.Fatal(err)
	}
	shown.waitFor(t, "child interrupted")
	shown.waitFor(t, "exit 5, terminal is ours true, interrupts of ours 0")
	shown.waitFor(t, "failed true, terminal is ours true")
	if got := code(cmd.Wait()); got != 5 {
		t.Errorf("it ended with %d, want 5", got)
	}
}
