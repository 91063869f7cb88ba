//go:build unix

package hook

import (
	"os/exec"
	"syscall"
)

var shell = []string{"/bin/sh", "-c"}

// killTogether makes an ended context kill the shell and all it started.
func killTogether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
