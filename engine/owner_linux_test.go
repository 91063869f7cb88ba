package engine_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// TestMain plays the owner of a database when asked to: it holds a file open
// until its input ends.
func TestMain(m *testing.M) {
	name := os.Getenv("HOLD_FILE")
	if name == "" {
		os.Exit(m.Run())
	}
	if _, err := os.Open(name); err != nil {
		os.Exit(1)
	}
	os.Stdout.WriteString("open\n")
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// own starts a process that holds a file open until it is told to stop.
func own(t *testing.T, name string) (pid int, stop func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOLD_FILE="+name)
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
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			in.Close()
			cmd.Wait()
		}
	}
	t.Cleanup(stop)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the owner did not open its file: %v", err)
	}
	return cmd.Process.Pid, stop
}

func TestRestore_ALiveOwner(t *testing.T) {
	setup := func(t *testing.T) (*world, func()) {
		w := newWorld(t)
		w.backup("monday")
		w.set("two")
		_, stop := own(t, w.rag.databasePath())
		return w, stop
	}
	t.Run("is named and left alone", func(t *testing.T) {
		w, _ := setup(t)
		p, err := w.engine().PlanRestore(t.Context(), engine.RestoreRequest{Name: "monday"})
		if err != nil || len(p.Targets[0].Handles) != 0 || len(p.Targets[1].Handles) != 1 {
			t.Fatalf("plan: %+v, %v", p, err)
		}
		_, err = w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday"})
		if holdfast.ExitCode(err) != holdfast.ExitRefused || !strings.Contains(err.Error(), "is held open by process") || holdfast.HintOf(err) == "" {
			t.Errorf("got %v", err)
		}
		if got := w.names(); len(got) != 1 {
			t.Errorf("refused only after an emergency backup: %v", got)
		}
		w.want("two")
		w.clean()
	})
	t.Run("of another source does not matter", func(t *testing.T) {
		w, _ := setup(t)
		w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"bot"}})
	})
	t.Run("may be overruled", func(t *testing.T) {
		w, _ := setup(t)
		w.restore(engine.RestoreRequest{Name: "monday", Force: true})
		w.want("one")
	})
	t.Run("is stopped by the hook", func(t *testing.T) {
		w, stop := setup(t)
		// The hook asks; this process, being the parent, does it.
		asked := filepath.Join(w.dir, "please-stop")
		if err := syscall.Mkfifo(asked, 0o600); err != nil {
			t.Fatal(err)
		}
		w.opts.Hooks.Stop = "echo stop > '" + asked + "'"
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, err := os.ReadFile(asked); err == nil {
				stop()
			}
		}()
		w.restore(engine.RestoreRequest{Name: "monday"})
		<-done
		w.want("one")
	})
	t.Run("survives the hook", func(t *testing.T) {
		w, _ := setup(t)
		w.opts.Hooks = engine.Hooks{Stop: "true", Start: "touch '" + filepath.Join(w.dir, "started") + "'"}
		_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday"})
		if !errors.Is(err, holdfast.ErrRefused) {
			t.Errorf("got %v", err)
		}
		w.want("two")
		w.clean()
		if _, err := os.Stat(filepath.Join(w.dir, "started")); err != nil {
			t.Error("what the stop hook stopped was not started again")
		}
	})
}
