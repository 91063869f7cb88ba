package child

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithUs lets the system send the child a signal when this process is killed:
// nobody would back up what it writes, and the next start would meet it. What the
// child started is not reached.
func dieWithUs(cmd *exec.Cmd, sig os.Signal) {
	if s, ok := sig.(syscall.Signal); ok {
		cmd.SysProcAttr.Pdeathsig = s
	}
}
