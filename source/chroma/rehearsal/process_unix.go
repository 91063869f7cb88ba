//go:build unix

package rehearsal

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// stopSignals are sent one after the other.
var stopSignals = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}

// leashed runs a line of the configuration, its $0, beside somebody who waits for the end
// of a pipe that this process alone holds open. When this process ends, however it does, he
// kills the whole group: nobody else would end a server whose drill was killed.
const leashed = `((trap "" INT TERM HUP; read -r _ <&3; kill -9 -$$) >/dev/null 2>&1 &); exec 3<&-; exec /bin/sh -c "$0"`

// commandOf is a command of the configuration.
func commandOf(line string) *exec.Cmd { return exec.Command("/bin/sh", "-c", leashed, line) }

// startTogether starts a command of the configuration in a process group of its own, with
// all that it will start: what interrupts us does not reach it, it can be ended as a whole,
// and it does not outlive us. letGo is for when it has ended.
func startTogether(cmd *exec.Cmd) (letGo func() error, err error) {
	end, held, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.ExtraFiles = []*os.File{end} // descriptor 3
	if err := errors.Join(cmd.Start(), end.Close()); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held.Close, nil
}

// signalTogether sends a signal to the group of a command.
func signalTogether(cmd *exec.Cmd, signal syscall.Signal) error {
	err := syscall.Kill(-cmd.Process.Pid, signal)
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EPERM) {
		return nil // nobody is left, or only what is being collected
	}
	return err
}

func killTogether(cmd *exec.Cmd) error { return signalTogether(cmd, syscall.SIGKILL) }
