//go:build !unix

package rehearsal

import (
	"errors"
	"os"
	"os/exec"
)

// stopSignals are sent one after the other.
var stopSignals = []os.Signal{os.Kill}

// commandOf is a command of the configuration.
func commandOf(line string) *exec.Cmd { return exec.Command("cmd", "/C", line) }

// startTogether starts a command: there are no process groups here.
func startTogether(cmd *exec.Cmd) (letGo func() error, err error) {
	return func() error { return nil }, cmd.Start()
}

func signalTogether(cmd *exec.Cmd, signal os.Signal) error {
	if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// killTogether does nothing more: what the command left behind is not known.
func killTogether(*exec.Cmd) error { return nil }
