package hook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/terminaltest"
)

// TestMain lets the test binary be a program at a terminal that asks a command.
func TestMain(m *testing.M) {
	line := os.Getenv("HOOK_TEST_LINE")
	if line == "" {
		os.Exit(m.Run())
	}
	got, err := FirstLine(context.Background(), Command{Line: line, Timeout: patience})
	fmt.Printf("got %q, interrupted %v, error %v\n", got, errors.Is(err, context.Canceled), err)
}

// patience is how long anything may take before a test gives up.
const patience = 30 * time.Second

func TestFirstLine(t *testing.T) {
	for line, want := range map[string]string{
		"printf 'se cret\\r\\nanother\\n'":    "se cret",
		"printf 'no end'":                     "no end",
		"echo x; head -c 1000000 /dev/zero":   "x",
		"echo served; sleep 5 & echo another": "served",
	} {
		if got, err := FirstLine(t.Context(), Command{Line: line}); got != want || err != nil {
			t.Errorf("%s gives %q, %v", line, got, err)
		}
	}
	for line, c := range map[string]struct {
		timeout time.Duration
		says    string
	}{
		"echo secret; exit 3":    {0, "exit status 3"},
		"kill -9 $$":             {0, "killed"},
		"echo secret; sleep 600": {100 * time.Millisecond, "not done after 100ms"},
	} {
		got, err := FirstLine(t.Context(), Command{Line: line, Timeout: c.timeout})
		if err == nil || got != "" || !strings.Contains(err.Error(), c.says) || strings.HasSuffix(err.Error(), "secret") {
			t.Errorf("%s gives %q, %v", line, got, err)
		}
	}
}

// A password manager asks whoever sits at the terminal, and can be refused.
func TestFirstLine_AsksAtTheTerminal(t *testing.T) {
	for keys, want := range map[string]string{
		"open sesame\n": `got "open sesame", interrupted false, error <nil>`,
		"\x03":          `got "", interrupted true`,
	} {
		person, program := terminaltest.Open(t)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), `HOOK_TEST_LINE=echo asked >&2; read answer; echo "$answer"`)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		program.Close()
		late := time.AfterFunc(2*patience, func() { _ = cmd.Process.Kill() }) // that ends the session
		var shown strings.Builder
		typed := false
		for b := make([]byte, 1024); ; {
			n, err := person.Read(b)
			shown.Write(b[:n])
			if err != nil {
				break // the session has ended
			}
			if !typed && strings.Contains(shown.String(), "asked") {
				typed = true
				if _, err := person.WriteString(keys); err != nil {
					t.Error(err)
				}
			}
		}
		late.Stop()
		if err := cmd.Wait(); err != nil || !strings.Contains(shown.String(), want) {
			t.Errorf("%q shows %q, want %q; %v", keys, shown.String(), want, err)
		}
	}
}
