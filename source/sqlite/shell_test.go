package sqlite

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// shell is a sqlite3 process that keeps its connection open.
type shell struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startShell(t testing.TB, path string) *shell {
	t.Helper()
	s := &shell{t: t, cmd: exec.Command("sqlite3", "-batch", path)}
	s.cmd.Stderr = s.cmd.Stdout
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s.cmd.Stdout
	s.in, s.out = in, bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("the tests of SQLite need the sqlite3 command-line tool (Debian: apt install sqlite3): %v", err)
	}
	t.Cleanup(func() {
		s.in.Close()
		_ = s.cmd.Wait() // killed or ended, either is an end
	})
	s.run(".timeout 20000")
	return s
}

// run runs statements and gives the last line that they print. An error of
// SQLite fails the test.
func (s *shell) run(statements string) string {
	s.t.Helper()
	last, err := s.try(statements)
	if err != nil {
		s.t.Fatal(err)
	}
	return last
}

func (s *shell) try(statements string) (string, error) {
	const end = "--end--"
	if _, err := fmt.Fprintf(s.in, "%s\n.print %s\n", statements, end); err != nil {
		return "", err
	}
	last := ""
	var failed error
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			return last, fmt.Errorf("sqlite3 ended: %w", err)
		}
		line = strings.TrimSpace(line)
		switch {
		case line == end:
			return last, failed
		case strings.Contains(line, "rror: "), strings.Contains(line, "rror near line"):
			failed = errors.Join(failed, errors.New(line))
		default:
			last = line
		}
	}
}

// kill ends the process as a crash would.
func (s *shell) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	_ = s.cmd.Wait() // it reports the kill
}

func openLive(t testing.TB, path string) *Live {
	t.Helper()
	l, err := OpenLive(t.Context(), path, LiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// wantError wants an error of a kind, that says text and has a hint.
func wantError(t testing.TB, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(fmt.Sprint(err), text) {
		t.Fatalf("got %v, want one of kind %q that says %q", err, kind, text)
	}
	if holdfast.HintOf(err) == "" {
		t.Errorf("%v has no hint", err)
	}
}
