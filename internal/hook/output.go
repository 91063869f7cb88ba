package hook

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast/internal/child"
)

// maxLine bounds what FirstLine takes of a command's output.
const maxLine = 64 << 10

// FirstLine runs c and gives the first line that it prints. The output may be a
// secret: it is in no file and in no error. What the command says on standard
// error goes to that of this process, and where this process has a terminal, the
// command has it meanwhile: it may ask a person.
func FirstLine(ctx context.Context, c Command) (string, error) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	runCtx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not done after %s", timeout))
	defer cancel()
	out := &firstBytes{}
	p, err := child.Start(child.Command{
		Args: append(slices.Clone(shell), c.Line), Env: append(os.Environ(), c.Env...),
		Stdin: os.Stdin, Stdout: out, Stderr: os.Stderr,
	})
	if err != nil {
		return "", &Error{Line: c.Line, Err: err}
	}
	select {
	case <-p.Done():
	case <-runCtx.Done():
		return "", &Error{Line: c.Line, Err: errors.Join(context.Cause(runCtx), p.Stop(context.WithoutCancel(ctx), 0))}
	}
	switch exit := p.Exit(); {
	case exit.Signal == os.Interrupt: // by whoever was asked
		return "", &Error{Line: c.Line, Err: fmt.Errorf("it %s: %w", exit, context.Canceled)}
	case exit.Signal != nil:
		return "", &Error{Line: c.Line, Err: fmt.Errorf("it %s", exit)}
	case exit.Code != 0:
		return "", &Error{Line: c.Line, Err: fmt.Errorf("exit status %d", exit.Code)}
	}
	s := bufio.NewScanner(bytes.NewReader(out.b))
	s.Buffer(nil, maxLine)
	s.Scan()
	return strings.TrimRight(s.Text(), "\r"), s.Err()
}

// firstBytes keeps the beginning of what is written to it.
type firstBytes struct{ b []byte }

func (f *firstBytes) Write(p []byte) (int, error) {
	f.b = append(f.b, p[:min(len(p), maxLine-len(f.b))]...)
	return len(p), nil
}
