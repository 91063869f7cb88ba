//go:build unix

package boot

import (
	"os"
	"syscall"
)

// raise sends a signal to this process again. Nobody of ours catches it any more.
func raise(sig os.Signal) {
	if n, ok := sig.(syscall.Signal); ok {
		_ = syscall.Kill(os.Getpid(), n) // to itself: it cannot fail
	}
}
