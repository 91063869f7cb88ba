package engine_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// An owner in this very process is found like any other: it must let go.
func TestOwner_InThisProcess(t *testing.T) {
	open := func(w *world) *os.File {
		t.Helper()
		f, err := os.Open(w.rag.databasePath())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() }) // again, at worst
		return f
	}
	t.Run("lets go", func(t *testing.T) {
		w := newWorld(t)
		w.backup("monday")
		w.set("two")
		f := open(w)
		p := w.owned()
		p.onStop = f.Close
		w.restore(engine.RestoreRequest{Name: "monday"})
		p.wantAsked(t, "stop bot+chromadb", "start over one")
	})
	t.Run("does not let go", func(t *testing.T) {
		w := newWorld(t)
		w.backup("monday")
		w.set("two")
		open(w)
		p := w.owned()
		_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday"})
		if holdfast.ExitCode(err) != holdfast.ExitRefused || !strings.Contains(fmt.Sprint(err), "this process") || !strings.Contains(holdfast.HintOf(err), "asked to let go") {
			t.Errorf("got %v, hint %q", err, holdfast.HintOf(err))
		}
		p.wantAsked(t, "stop bot+chromadb", "start over two")
		w.want("two")
		w.clean()
	})
}
