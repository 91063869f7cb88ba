//go:build !windows

package cli

import "os"

// openTerminal opens the terminal that a person sits at, whatever the standard
// streams are.
func openTerminal() (*os.File, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) }
