//go:build unix

package child

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// A group is the process group of a child. Its number stays taken as long as
// any member lives, so that a signal cannot meet a stranger.
type group struct {
	id   int
	left bool // nobody is in it any more
}

// prepare makes cmd the leader of a group of its own, in the foreground of the
// terminal if that is ours to give.
func (g *group) prepare(cmd *exec.Cmd, t *terminal) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if t != nil {
		cmd.SysProcAttr.Foreground, cmd.SysProcAttr.Ctty = true, t.fd
	}
}

// signal signals every member. ended tells that the leader was reaped: from then
// on an empty group is over for good, since its number may be given away.
func (g *group) signal(_ *os.Process, sig os.Signal, ended bool) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return errors.ErrUnsupported
	}
	if g.left {
		return os.ErrProcessDone
	}
	err := syscall.Kill(-g.id, s)
	switch {
	case errors.Is(err, syscall.ESRCH):
		g.left = ended
		return os.ErrProcessDone
	case errors.Is(err, syscall.EPERM) && s == 0:
		return nil // somebody is there, but is another user's
	}
	return err
}

// await waits for the end of the child. Where it has the terminal, a stop of it
// (Ctrl-Z) stops this process as well.
func (c *Child) await() ExitState {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(c.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err == nil && status.Stopped() {
			c.terminal.suspend(c.group.id)
			continue
		}
		// The process is reaped already: Wait only waits for the streams, and
		// says that there is no such child.
		_ = c.cmd.Wait()
		_ = c.cmd.Process.Release()
		switch {
		case err != nil:
			return ExitState{Code: CodeNotRunnable} // somebody else has reaped it
		case status.Signaled():
			return ExitState{Code: signalBase + int(status.Signal()), Signal: status.Signal()}
		}
		return ExitState{Code: status.ExitStatus()}
	}
}
