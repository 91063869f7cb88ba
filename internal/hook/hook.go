// Package hook runs the commands that people configure around a restore or a
// backup: through the system's shell, within a time limit, with the end of
// their output in the error so that a failure can be understood from one line.
//
// A command may leave a service running in the background; Run returns when
// the shell does. Only a command that outlives its time limit, or whose
// context ends, is killed with everything it started.
package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// DefaultTimeout is the time limit of a command without one of its own.
const DefaultTimeout = 2 * time.Minute

// tail is how much of a command's output an error quotes.
const tail = 2 << 10

// A Command is one configured command.
type Command struct {
	Line    string        // run by sh -c, or cmd /C on Windows; empty does nothing
	Timeout time.Duration // DefaultTimeout if zero
	Env     []string      // NAME=value, beside the environment of this process
}

// An Error tells how a command ended and what it said last.
type Error struct {
	Line   string
	Err    error
	Output string
}

// Error gives cause and output in one line.
func (e *Error) Error() string {
	s := fmt.Sprintf("%q: %v", e.Line, e.Err)
	if e.Output != "" {
		s += ": " + strings.Join(strings.Fields(e.Output), " ")
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Run runs c and waits for it. A failure is an *Error.
func Run(ctx context.Context, c Command) error {
	_, err := Output(ctx, c)
	return err
}

// Output does the same and gives the end of what the command said.
func Output(ctx context.Context, c Command) (said string, err error) {
	if strings.TrimSpace(c.Line) == "" {
		return "", nil
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	// A file instead of a pipe: a service left in the background keeps a pipe
	// open, and Wait would wait for the service.
	out, err := os.CreateTemp("", "holdfast-hook-")
	if err != nil {
		return "", &Error{Line: c.Line, Err: err}
	}
	defer func() { err = errors.Join(err, out.Close(), os.Remove(out.Name())) }()

	runCtx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not done after %s", timeout))
	defer cancel()
	cmd := exec.CommandContext(runCtx, shell[0], append(shell[1:], c.Line)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), c.Env...)
	killTogether(cmd)
	err = cmd.Run()
	said = ending(out)
	if err != nil {
		if runCtx.Err() != nil {
			err = context.Cause(runCtx)
		}
		return said, &Error{Line: c.Line, Err: err, Output: said}
	}
	return said, nil
}

func ending(f *os.File) string {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	from := max(0, size-tail)
	b := make([]byte, size-from)
	n, err := f.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return strings.ToValidUTF8(string(b[:n]), "?")
}
