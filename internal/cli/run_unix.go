//go:build unix

package cli

import (
	"os"
	"syscall"
)

// passedOn are the signals that programs wait for, beside those that ask to end.
var passedOn = []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT, syscall.SIGALRM}
