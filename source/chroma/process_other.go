//go:build !unix

package chroma

import (
	"errors"
	"os"
	"os/exec"
)

// shell runs a command of the configuration.
var shell = []string{"cmd", "/C"}

// stopSignals are sent one after the other.
var stopSignals = []os.Signal{os.Kill}

// together does nothing: there are no process groups here.
func together(*exec.Cmd) {}

func signalTogether(cmd *exec.Cmd, signal os.Signal) error {
	if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// killTogether does nothing more: what the command left behind is not known.
func killTogether(*exec.Cmd) error { return nil }
