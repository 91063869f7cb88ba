//go:build !unix

package boot

import "os"

// raise ends this process as a signal would: it cannot be sent to oneself here.
func raise(os.Signal) { os.Exit(1) }
