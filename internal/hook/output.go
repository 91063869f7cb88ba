package hook

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// maxLine bounds what FirstLine takes of a command's output.
const maxLine = 64 << 10

// FirstLine runs c and gives the first line that it prints. The output may be a
// secret: it is in no file and in no error. What the command says on standard
// error goes to that of this process.
func FirstLine(ctx context.Context, c Command) (string, error) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	runCtx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not done after %s", timeout))
	defer cancel()
	out := &firstBytes{}
	cmd := exec.CommandContext(runCtx, shell[0], append(shell[1:], c.Line)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, out, os.Stderr
	cmd.Env = append(os.Environ(), c.Env...)
	killTogether(cmd)
	cmd.WaitDelay = timeout // a child that keeps the output open
	if err := cmd.Run(); err != nil {
		if runCtx.Err() != nil {
			err = context.Cause(runCtx)
		}
		return "", &Error{Line: c.Line, Err: err}
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
