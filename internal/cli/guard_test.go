package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// What is told to be pasted must mean the same to a shell that people paste into; a line break
// needs one that knows $'...', as bash and zsh do.
func TestCommandLine_IsReadBackByAShell(t *testing.T) {
	words := []string{"plain", "", "with space", "it's", `"quoted"`, "$HOME", "back\\slash", "ที่นี่", "پشتیبان", "a*b", "x=/p/q.db", "~", "#no", "-", "line\nbreak"}
	g := &globals{Config: "my config.yaml", Repo: "s3://bucket/prefix?endpoint=http://h:1&region=r", SQLite: words}
	line := commandLine(g, "restore", "name")
	out, err := exec.Command("bash", "-c", `holdfast() { printf '%s\0' "$@"; }; `+line).Output()
	if err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	want := []string{"restore", "name", "--config", g.Config, "--repo", g.Repo}
	for _, w := range words {
		if w != "" {
			want = append(want, "--sqlite", w)
		}
	}
	if got := strings.Join(want, "\x00") + "\x00"; string(out) != got {
		t.Errorf("%s is read as %q", line, out)
	}
}

func TestTakeSignals_OnlyWhileTaken(t *testing.T) {
	signals := make(chan os.Signal)
	ctx, cancel := Interruptible(t.Context(), signals, func(int) {})
	defer cancel()
	taken, giveBack := takeSignals(ctx)
	for range 3 * waitingSignals { // more than wait
		signals <- syscall.SIGTERM
	}
	if s := <-taken; s != syscall.SIGTERM || ctx.Err() != nil {
		t.Errorf("got %v, %v", s, ctx.Err())
	}
	giveBack()
	signals <- os.Interrupt
	<-ctx.Done()
}

func TestPatiently_WaitsForTheRepository(t *testing.T) {
	held := &holdfast.LockedError{Object: "repository", Owner: holdfast.Owner{PID: 1, Host: "here"}}
	u := newUI(System{Stdout: os.Stdout, Stderr: &strings.Builder{}}, &globals{})
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		if err := patiently(t.Context(), u, func() error {
			if tries++; tries < 4 {
				return held
			}
			return nil
		}); err != nil || tries != 4 {
			t.Errorf("%d tries, %v", tries, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := patiently(t.Context(), u, func() error { return held }); !errors.Is(err, holdfast.ErrLocked) || time.Since(begun) < lockPatience {
			t.Errorf("gave up after %s: %v", time.Since(begun), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		if err := patiently(ctx, u, func() error { cancel(); return held }); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
	})
	other := errors.New("no room")
	if err := patiently(t.Context(), u, func() error { return other }); err != other {
		t.Errorf("another failure: %v", err)
	}
}

func TestSight(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.New("bot", path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sources := []holdfast.Source{s}
	if look(sources) != nil {
		t.Error("what was changed just now is not waited for, and yet sure")
	}
	saw := sight{mustPeek(t, s)}
	if !saw.unchanged(t.Context(), sources) {
		t.Error("nothing was written, but it is not seen")
	}
	if rested := look(sources); len(rested) != 1 || rested[0] != saw[0] {
		t.Errorf("after a rest: %q, want %q", rested, saw)
	}
	if err := os.WriteFile(path, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if saw.unchanged(t.Context(), sources) || sight(nil).unchanged(t.Context(), nil) {
		t.Error("a write is not seen")
	}
}

func mustPeek(t *testing.T, s holdfast.Peeker) string {
	t.Helper()
	state, _, err := s.Peek()
	if err != nil {
		t.Fatal(err)
	}
	return state
}
