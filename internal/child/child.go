// Package child runs one program with everything that it starts: a bot that
// holdfast keeps, a command between backup and rollback.
//
// [Start] starts it, in a process group of its own, so that a signal or an end
// reaches what it started in turn. Where standard input is the terminal that
// this process works at, the child becomes the terminal's foreground group, as
// under a shell: Ctrl-C reaches the child alone, Ctrl-Z stops both, and the
// terminal comes back when the child ends. A stream that is a file is the
// child's own; nothing is copied in between.
//
// [Child.Exit] tells how it ended in the words of a shell: its code, 128 and
// the signal, 127 for what is not there, 126 for what cannot be run ([Code]).
//
// [AsInit] makes a program that a container runs as its first process fit for
// that: it forwards signals and reaps orphans.
//
// Where there are no process groups (Windows), a child is one process, and every
// signal ends it.
package child

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Command is what to run.
type Command struct {
	Args []string // the program, looked up in PATH, and its arguments
	Dir  string   // empty is that of this process
	Env  []string // nil is that of this process
	// StopSignal asks the child to end; nil is SIGTERM.
	StopSignal os.Signal
	// Nil streams are the null device. Streams that are no files are copied.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// ExitState is how a child ended.
type ExitState struct {
	// Code is what a shell would say: the child's own, or 128 and the number
	// of the signal that ended it.
	Code   int
	Signal os.Signal // nil if it ended by itself
}

// String tells the end in words.
func (s ExitState) String() string {
	if s.Signal != nil {
		return fmt.Sprintf("ended by signal %d (%s)", s.Code-signalBase, s.Signal)
	}
	return fmt.Sprintf("ended with code %d", s.Code)
}

// Exit codes as shells have them.
const (
	CodeNotRunnable = 126 // it is there, but cannot be run
	CodeNotFound    = 127
	signalBase      = 128
)

// copyPatience is how long streams that are copied may stay open after the
// child has ended, in the hands of something that it left behind.
const copyPatience = time.Second

// killPatience is how long the system may take to end what was killed.
const killPatience = 5 * time.Second

// A Child is a running or ended program.
type Child struct {
	cmd      *exec.Cmd
	stop     os.Signal // asks it to end
	group    group
	terminal *terminal // nil: it has none, or not that of this process

	done chan struct{}
	exit ExitState // valid when done is closed

	mu    sync.Mutex
	ended bool // the process itself was reaped
}

// Start runs c. An error says why it cannot be run; [Code] has the code for it.
func Start(c Command) (*Child, error) {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return nil, &holdfast.Error{Op: "start", Err: holdfast.Kindf(holdfast.ErrUsage, "no command")}
	}
	if c.Dir != "" {
		if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
			return nil, startError(c, CodeNotRunnable, fmt.Errorf("its working directory %s is not there", c.Dir), "")
		}
	}
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	if errors.Is(cmd.Err, exec.ErrDot) {
		cmd.Err = nil // whoever has "." in PATH means it
	}
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.WaitDelay = copyPatience
	child := &Child{cmd: cmd, stop: cmp.Or(c.StopSignal, os.Signal(syscall.SIGTERM)), terminal: terminalOf(c.Stdin), done: make(chan struct{})}
	child.group.prepare(cmd, child.terminal)
	dieWithUs(cmd, child.stop)
	if err := child.launch(); err != nil {
		child.terminal.takeBack()
		code, hint, err := explain(cmd.Path, err)
		return nil, startError(c, code, err, hint)
	}
	return child, nil
}

// launch starts the process and watches it, both by one thread: the system takes the
// end of the thread that started a child for the end of this process.
func (c *Child) launch() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		if err == nil {
			c.group.id = c.cmd.Process.Pid
		}
		started <- err
		if err == nil {
			c.watch()
		}
	}()
	return <-started
}

// watch waits for the end.
func (c *Child) watch() {
	exit := c.await()
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.terminal.takeBack()
	c.exit = exit
	close(c.done)
}

// PID is the process id of the child.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Done is closed when the child has ended. What it started may live on.
func (c *Child) Done() <-chan struct{} { return c.done }

// Exit tells how the child ended; it waits for that.
func (c *Child) Exit() ExitState {
	<-c.done
	return c.exit
}

// Signal sends a signal to the child and all that it started. It is
// os.ErrProcessDone if nothing of that is left.
func (c *Child) Signal(sig os.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.group.signal(c.cmd.Process, sig, c.ended)
}

// Stop ends the child and all that it started: it asks with SIGTERM, or what the
// command says, and kills what is left after grace, or at once when ctx ends. It also ends what a child
// left behind that has ended itself. On nil nothing is left.
func (c *Child) Stop(ctx context.Context, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if c.Signal(c.stop) == nil && c.gone(ctx) {
		return nil
	}
	switch err := c.Signal(os.Kill); {
	case errors.Is(err, os.ErrProcessDone):
		<-c.done
		return nil
	case err != nil:
		return &holdfast.Error{Op: "stop", Object: fmt.Sprintf("process %d", c.PID()), Err: err}
	}
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), killPatience)
	defer cancel()
	if !c.gone(ctx) {
		return &holdfast.Error{
			Op: "stop", Object: fmt.Sprintf("process %d", c.PID()), Err: fmt.Errorf("it was killed, but is not gone after %s", killPatience),
			Hint: "it waits in the system, most likely for a device that does not answer",
		}
	}
	return nil
}

// gone waits until nothing of the child is left, or ctx ends.
func (c *Child) gone(ctx context.Context) bool {
	select {
	case <-c.done:
	case <-ctx.Done():
		return false
	}
	for wait := time.Millisecond; c.runs(); wait = min(2*wait, 50*time.Millisecond) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
	return true
}

// runs tells whether something of an ended child still runs.
func (c *Child) runs() bool {
	if c.Signal(syscall.Signal(0)) != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.group.left = c.group.onlyZombies()
	return !c.group.left
}

// A StartError is why a command could not be run.
type StartError struct {
	Code int // what a shell would exit with
	Err  error
}

// Error gives the cause.
func (e *StartError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *StartError) Unwrap() error { return e.Err }

// Code is what a shell would exit with where Start failed with err.
func Code(err error) int {
	if e, ok := errors.AsType[*StartError](err); ok {
		return e.Code
	}
	return CodeNotRunnable
}

func startError(c Command, code int, err error, hint string) error {
	return &holdfast.Error{Op: "start", Object: c.Args[0], Err: &StartError{Code: code, Err: err}, Hint: hint}
}

// explain finds code, cause and advice of a start that failed. path is what was
// to be run, as far as it was found.
func explain(path string, err error) (code int, hint string, cause error) {
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return CodeNotFound, "check its spelling, or give its path", errors.New("there is no such command in PATH")
	case errors.Is(err, fs.ErrNotExist):
		if _, statErr := os.Stat(path); statErr == nil {
			return CodeNotFound, "look at its first line", errors.New("the interpreter that it names does not exist")
		}
		return CodeNotFound, "check its path", err
	case errors.Is(err, fs.ErrPermission):
		return CodeNotRunnable, "chmod +x makes a script executable", errors.New("it may not be executed")
	case errors.Is(err, syscall.ENOEXEC):
		return CodeNotRunnable, "begin a script with a line like #!/bin/sh", errors.New("it is neither a program for this system nor a script that names its interpreter")
	}
	return CodeNotRunnable, "", err
}
