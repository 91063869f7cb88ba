//go:build unix

package chroma

import (
	"errors"
	"os/exec"
	"syscall"
)

// shell runs a command of the configuration.
var shell = []string{"/bin/sh", "-c"}

// stopSignals are sent one after the other.
var stopSignals = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}

// together puts a command into a process group of its own, with all that it will
// start: what interrupts us does not reach it, and it can be ended as a whole.
func together(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signalTogether sends a signal to the group of a command.
func signalTogether(cmd *exec.Cmd, signal syscall.Signal) error {
	err := syscall.Kill(-cmd.Process.Pid, signal)
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EPERM) {
		return nil // nobody is left, or only what is being collected
	}
	return err
}

func killTogether(cmd *exec.Cmd) error { return signalTogether(cmd, syscall.SIGKILL) }
