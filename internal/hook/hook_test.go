//go:build unix

package hook

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRun_EmptyDoesNothing(t *testing.T) {
	if err := Run(t.Context(), Command{Line: "  "}); err != nil {
		t.Fatal(err)
	}
}

func TestRun_RunsThroughTheShellWithItsEnvironment(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out put")
	err := Run(t.Context(), Command{Line: `printf '%s' "$WHAT" > "$OUT"`, Env: []string{"WHAT=ยินดี", "OUT=" + out}})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(out); string(got) != "ยินดี" {
		t.Errorf("the command wrote %q", got)
	}
}

func TestRun_FailureQuotesTheEndOfTheOutput(t *testing.T) {
	err := Run(t.Context(), Command{Line: `seq 1 5000; echo "service bot not found" >&2; exit 5`})
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v, want a hook.Error", err)
	}
	if !strings.HasSuffix(err.Error(), "4999 5000 service bot not found") || !strings.Contains(err.Error(), "exit status 5") {
		t.Errorf("the error does not tell status and output: %v", err)
	}
	if len(e.Output) > tail {
		t.Errorf("%d bytes of output quoted, at most %d wanted", len(e.Output), tail)
	}
}

func TestRun_TimeLimitKillsTheWholeGroup(t *testing.T) {
	alive := filepath.Join(t.TempDir(), "alive")
	err := Run(t.Context(), Command{
		Line:    `(sleep 600; touch "$ALIVE") & wait`,
		Timeout: 50 * time.Millisecond,
		Env:     []string{"ALIVE=" + alive},
	})
	if err == nil || !strings.Contains(err.Error(), "not done after 50ms") {
		t.Fatalf("got %v, want the time limit", err)
	}
}

func TestRun_CancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, Command{Line: "sleep 600"}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
}

func TestRun_LeavesABackgroundServiceRunning(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "go")
	done := filepath.Join(dir, "done")
	// The service waits for a word that is only said after Run has returned.
	err := Run(t.Context(), Command{
		Line: `mkfifo "$FIFO"; (read word < "$FIFO"; printf '%s' "$word" > "$DONE.tmp"; mv "$DONE.tmp" "$DONE") &`,
		Env:  []string{"FIFO=" + fifo, "DONE=" + done},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fifo, []byte("served\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(time.Minute)
	for {
		if got, err := os.ReadFile(done); err == nil {
			if string(got) != "served" {
				t.Fatalf("the service wrote %q", got)
			}
			return
		}
		select {
		case <-deadline:
			t.Fatal("the service did not outlive Run")
		case <-time.After(5 * time.Millisecond):
		}
	}
}
