package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/engine"
)

// tidiesUp does what a program does that closes its databases: times change and
// logs go, and the data is the same.
func (w *world) tidiesUp() error {
	later := time.Now().Add(time.Hour)
	return errors.Join(os.Chtimes(w.bot.path, later, later), os.RemoveAll(w.bot.path+"-wal"), os.Chtimes(w.rag.databasePath(), later, later))
}

func TestRestore_LetsGoOfWhatItsOwnerTidiedUp(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	w.onStop = w.tidiesUp
	w.owned()
	r := w.restore(engine.RestoreRequest{Name: "monday"})
	if len(r.Aside) > 0 || len(w.asides()) > 0 {
		t.Errorf("kept %v, which the emergency backup holds: %v", r.Aside, r.Problems)
	}
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.want("two")
}

// Whatever is not certain to be in the emergency backup is kept.
func TestRestore_KeepsWhatChangedWhileItsOwnerLetGo(t *testing.T) {
	for name, change := range map[string]func(w *world) error{
		"one byte":     func(w *world) error { return os.WriteFile(w.bot.path, []byte("two\ntwO\n"), 0o600) },
		"longer":       func(w *world) error { return os.WriteFile(w.bot.path, []byte("two\ntwo\n\n"), 0o600) },
		"shorter":      func(w *world) error { return os.Truncate(w.bot.path, 4) },
		"in the log":   func(w *world) error { return os.WriteFile(w.bot.path+"-wal", []byte("log of late"), 0o600) },
		"in a journal": func(w *world) error { return os.WriteFile(w.bot.path+"-journal", []byte("late"), 0o600) },
		"what it is":   func(w *world) error { return errors.Join(os.Remove(w.bot.path), os.Symlink("elsewhere", w.bot.path)) },
		"one in a directory": func(w *world) error {
			return os.WriteFile(filepath.Join(w.rag.path, "segment", "data_level0.bin"), []byte("TWO\n"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.backup("monday")
			w.set("two")
			w.onStop = func() error { return errors.Join(os.Remove(w.bot.path+"-wal"), change(w)) }
			w.owned()
			r := w.restore(engine.RestoreRequest{Name: "monday"})
			w.want("one")
			if len(r.Aside) != 1 || len(w.asides()) == 0 {
				t.Fatalf("kept %v, and on disk %v", r.Aside, w.asides())
			}
			if p := r.Problems[len(r.Problems)-1]; !strings.Contains(p.Message, "written to after the emergency backup") {
				t.Errorf("told: %+v", p)
			}
		})
	}
}
