package chromatest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// LiveDir is a directory for a server: on disk, or where there is one in a file
// system in memory, where the server waits for nothing and persists many times
// more often.
func LiveDir(t testing.TB, memory bool) string {
	t.Helper()
	const shm = "/dev/shm"
	if _, err := os.Stat(shm); !memory || err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shm, "holdfast-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// UseWAL lets a server make its database in dir and puts that into WAL mode,
// which stays.
func UseWAL(t testing.TB, v Version, dir string) {
	t.Helper()
	if err := Start(t, v, dir).Stop(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "chroma.sqlite3")
	if out, err := exec.Command("sqlite3", "-bail", file, "PRAGMA journal_mode=wal").CombinedOutput(); err != nil {
		t.Fatalf("sqlite3 %s: %v: %s(./test.sh installs sqlite3)", file, err, out)
	}
}

// Await waits until the load has written so much that there is something to
// copy.
func (l *Load) Await(t testing.TB, requests int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); l.Requests() < requests; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d requests were acknowledged within a minute: %v", l.Requests(), requests, l.Failures())
		}
	}
}

// CheckCopy serves a copy by a fresh server and holds it to what the load
// knows, like Check; then look, if any, sees the server, and at last the copy
// must take new records.
func (l *Load) CheckCopy(ctx context.Context, v Version, dir string, after, before Moment, look func(*Client) error) error {
	s, err := Launch(ctx, v, dir)
	if err != nil {
		return err
	}
	c := s.Client()
	defer c.Close()
	err = l.Check(ctx, c, after, before)
	if look != nil {
		err = errors.Join(err, look(c))
	}
	if err == nil {
		err = l.Grow(ctx, c)
	}
	return errors.Join(err, s.Kill())
}

// CommandLine is how an operator starts a server on dir at a port, for tests
// that leave starting and stopping to somebody else.
func CommandLine(v Version, dir string, port int) ([]string, error) {
	command, err := locate(v)
	if err != nil {
		return nil, err
	}
	return append(command[:len(command):len(command)], "run", "--path", dir, "--host", "127.0.0.1", "--port", fmt.Sprint(port)), nil
}

// FreePort is a port at which nobody listens now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// ShellCommand is CommandLine for whoever takes a command of the shell, and tells it
// directory and port in CHROMA_PATH and CHROMA_PORT.
func ShellCommand(t testing.TB, v Version) string {
	t.Helper()
	command, err := locate(v)
	if err != nil {
		t.Fatal(err)
	}
	line := "cd " + quoted(os.TempDir()) + " && exec" // servers leave files where they are started
	for _, word := range command {
		line += " " + quoted(word)
	}
	return line + ` run --path "$CHROMA_PATH" --host "$CHROMA_HOST" --port "$CHROMA_PORT"`
}

// quoted makes one word of s for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
