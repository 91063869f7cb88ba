package cli

import "os"

// passedOn are the signals that programs wait for, beside those that ask to end:
// this system has none.
var passedOn []os.Signal
