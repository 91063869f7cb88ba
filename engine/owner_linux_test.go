package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/procs/procstest"
)

func TestMain(m *testing.M) { procstest.Main(m) }

func TestRestore_ALiveOwner(t *testing.T) {
	setup := func(t *testing.T) (*world, func()) {
		w := newWorld(t)
		w.backup("monday")
		w.set("two")
		_, stop := procstest.Hold(t, w.rag.databasePath())
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
