package cli

import "os"

// openTerminal opens the console that a person sits at; one handle serves for
// reading and writing.
func openTerminal() (*os.File, error) { return os.OpenFile("CON", os.O_RDWR, 0) }
