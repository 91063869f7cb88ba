package main

import (
	"os"
	"syscall"
)

// apart lets the server have a process group of its own, so that Ctrl-C in the
// terminal reaches it after us, and end with us even when we are killed.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
}

func interrupt(p *os.Process) error { return sendGroup(p, syscall.SIGINT) }
func kill(p *os.Process) error      { return sendGroup(p, syscall.SIGKILL) }

// sendGroup reaches the whole group: the command may be a script.
func sendGroup(p *os.Process, s syscall.Signal) error {
	err := syscall.Kill(-p.Pid, s)
	if err == syscall.ESRCH {
		return os.ErrProcessDone
	}
	return err
}
