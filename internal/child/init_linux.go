package child

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/holdfast-backup/holdfast"
)

// AsInit takes the duties of a container's first process, if this is one: it
// runs this program again as its child, with the same arguments, environment and
// files, forwards signals to it, reaps what others leave behind, and returns when
// the child has ended, with the code to exit with. was is false, and nothing was
// done, in any other process.
//
// The system ends every process of a container with its first one, and a first
// process is deaf to each signal that it does not handle: a program in that place
// cannot even be asked to stop. Call it before anything else is started.
func AsInit() (code int, was bool, err error) {
	if os.Getpid() != 1 {
		return 0, false, nil
	}
	self, err := os.Executable()
	if err != nil {
		return 0, true, &holdfast.Error{Op: "start", Err: err}
	}
	code, err = reap(self, os.Args)
	return code, true, err
}

// notForwarded concern this process itself: its children, its scheduler, and
// faults of its own.
var notForwarded = map[os.Signal]bool{
	syscall.SIGCHLD: true, syscall.SIGURG: true, syscall.SIGPIPE: true, syscall.SIGPROF: true,
	syscall.SIGTTIN: true, syscall.SIGTTOU: true,
	syscall.SIGBUS: true, syscall.SIGFPE: true, syscall.SIGILL: true, syscall.SIGSEGV: true,
	syscall.SIGSYS: true, syscall.SIGTRAP: true, syscall.SIGSTKFLT: true,
}

// reap runs a program until it ends, and reaps every process that ends
// meanwhile.
func reap(path string, args []string) (code int, err error) {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	defer signal.Stop(signals)

	t := terminalOf(os.Stdin)
	cmd := &exec.Cmd{Path: path, Args: args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	(&group{}).prepare(cmd, t)
	if err := cmd.Start(); err != nil {
		t.takeBack()
		code, hint, cause := explain(path, err)
		return code, &holdfast.Error{Op: "start", Object: path, Err: cause, Hint: hint}
	}
	defer t.takeBack()
	pid := cmd.Process.Pid
	defer func() { _ = cmd.Process.Release() }()
	for s := range signals {
		if s != syscall.SIGCHLD {
			// Not the group: the child passes on itself what it sees fit.
			if sig, ok := s.(syscall.Signal); ok && !notForwarded[s] {
				_ = syscall.Kill(pid, sig)
			}
			continue
		}
		for {
			var status syscall.WaitStatus
			ended, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case ended == pid && status.Signaled():
				return signalBase + int(status.Signal()), nil
			case ended == pid:
				return status.ExitStatus(), nil
			}
			if err != nil || ended == 0 {
				break // none left that has ended
			}
		}
	}
	return 0, nil
}
