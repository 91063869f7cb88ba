//go:build !unix

package child

import (
	"os"
	"os/exec"
)

// A group is one process where there are no groups.
type group struct {
	id   int
	left bool // nothing of it is there any more
}

func (g *group) prepare(*exec.Cmd, *terminal) {}

// signal ends the process: nothing gentler reaches it.
func (g *group) signal(p *os.Process, sig os.Signal, ended bool) error {
	if ended || g.left {
		return os.ErrProcessDone
	}
	return p.Kill()
}

// await waits for the end of the child.
func (c *Child) await() ExitState {
	_ = c.cmd.Wait() // how it ended is in its state
	return ExitState{Code: max(c.cmd.ProcessState.ExitCode(), 0)}
}
