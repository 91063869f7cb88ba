// Package procstest gives tests a process that holds files open, as the owner
// of a database does. It runs the test's own binary again: call [Main] in
// TestMain, then [Hold].
package procstest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"testing"
)

// roleEnv makes the test binary play the owner.
const roleEnv = "HOLD_FILES"

// Main runs the tests, or plays the owner when asked to: it opens the files
// named in its arguments, says so, and keeps them open until its input ends.
func Main(m *testing.M) {
	if os.Getenv(roleEnv) == "" {
		os.Exit(m.Run())
	}
	for _, name := range os.Args[1:] {
		if _, err := os.Open(name); err != nil {
			os.Exit(1)
		}
	}
	os.Stdout.WriteString("open\n")
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// Hold starts a process that holds files open until release is called or the
// test ends.
func Hold(t *testing.T, files ...string) (pid int, release func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], files...)
	cmd.Env = append(os.Environ(), roleEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	released := false
	release = func() {
		if !released {
			released = true
			in.Close()
			cmd.Wait()
		}
	}
	t.Cleanup(release)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the owner did not open its files: %v", err)
	}
	return cmd.Process.Pid, release
}
