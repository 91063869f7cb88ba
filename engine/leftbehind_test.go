package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast/engine"
)

// What belongs to nothing, and was left out of the emergency backup for that, keeps no
// old set; whatever may be something does.
func TestRestore_LetsGoOfWhatWasLeftBehind(t *testing.T) {
	index := func(w *world, folder string) error {
		dir := filepath.Join(w.rag.path, folder)
		return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "data_level0.bin"), []byte("vectors"), 0o600))
	}
	none := func(*world) error { return nil }
	for name, test := range map[string]struct {
		before, onStop func(w *world) error
		kept           int
	}{
		"a deleted collection": {before: func(w *world) error { return errors.Join(index(w, dropped+"a"), index(w, dropped+"b")) }, onStop: none},
		"and its owner tidies up": {
			before: func(w *world) error { return index(w, dropped+"a") },
			onStop: (*world).tidiesUp,
		},
		"and a file of somebody": {
			before: func(w *world) error {
				return errors.Join(index(w, dropped+"a"), os.WriteFile(filepath.Join(w.rag.path, "foreign"), []byte("thesis"), 0o600))
			},
			onStop: none, kept: 1,
		},
		"one more since": {
			before: func(w *world) error { return index(w, dropped+"a") },
			onStop: func(w *world) error { return index(w, dropped+"b") }, kept: 1,
		},
		"and the data changed since": {
			before: func(w *world) error { return index(w, dropped+"a") },
			onStop: func(w *world) error { return os.WriteFile(w.rag.databasePath(), []byte("late\n"), 0o600) }, kept: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.backup("monday")
			w.set("two")
			if err := test.before(w); err != nil {
				t.Fatal(err)
			}
			w.onStop = func() error { return test.onStop(w) }
			w.owned()
			r := w.restore(engine.RestoreRequest{Name: "monday"})
			w.want("one")
			if len(r.Aside) != test.kept || (len(w.asides()) > 0) != (test.kept > 0) {
				t.Errorf("kept %v, on disk %v: %v", r.Aside, w.asides(), r.Problems)
			}
		})
	}
}
