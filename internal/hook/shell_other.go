//go:build !unix

package hook

import "os/exec"

var shell = []string{"cmd", "/C"}

// killTogether has nothing to add where there are no process groups: an ended
// context kills the shell.
func killTogether(*exec.Cmd) {}
