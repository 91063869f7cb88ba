package engine_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

func TestDrill_OneAtATime(t *testing.T) {
	w, o := drills(t)
	w.backup("monday")
	other := w.engine()
	o.onRehearse = func(dir, _ string) error {
		if err := other.ClearScratch(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("the copy of a drill that is under way was removed: %v", err)
		}
		if _, err := other.Drill(t.Context(), engine.DrillRequest{Name: "monday"}); !errors.Is(err, holdfast.ErrLocked) {
			t.Errorf("the second drill ended with %v, want %v", err, holdfast.ErrLocked)
		}
		return nil
	}
	if _, err := w.drill("monday"); err != nil {
		t.Fatal(err)
	}
	w.noScratch()
}

// A drill that was killed leaves its copy, wherever that is; the next one, or a
// program that begins, removes it, and nothing else.
func TestDrill_ClearsWhatAKilledOneLeft(t *testing.T) {
	for name, clear := range map[string]func(*world) error{
		"the next drill": func(w *world) error { _, err := w.drill("monday"); return err },
		"at a start":     func(w *world) error { return w.engine().ClearScratch() },
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := drills(t)
			w.backup("monday")
			left := filepath.Join(w.dir, "elsewhere", "holdfast-drill-abc")
			write(t, filepath.Join(left, "bot", "closed", "file"), "left")
			if err := os.Chmod(filepath.Join(left, "bot", "closed"), 0o500); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(w.dir, "elsewhere", "mine"), "precious")
			write(t, filepath.Join(w.opts.StateDir, "drill", "scratch"), left)
			if err := clear(w); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the copy is still there (%v)", err)
			}
			if read(t, filepath.Join(w.dir, "elsewhere", "mine")) != "precious" {
				t.Error("more was removed than the copy")
			}
			w.noScratch()
		})
	}
}

// The note of a scratch copy may come from anywhere, and must not lead to anything
// else.
func TestDrill_RemovesNothingElse(t *testing.T) {
	w, _ := drills(t)
	w.backup("monday")
	precious := filepath.Join(w.dir, "precious")
	write(t, filepath.Join(precious, "file"), "precious")
	link := filepath.Join(w.dir, "holdfast-drill-link")
	if err := os.Symlink(precious, link); err != nil {
		t.Fatal(err)
	}
	for _, note := range []string{precious, "relative/holdfast-drill-x", filepath.Join(w.dir, "holdfast-drill-x") + "/../precious", link} {
		write(t, filepath.Join(w.opts.StateDir, "drill", "scratch"), note)
		if _, err := w.drill("monday"); !errors.Is(err, holdfast.ErrRefused) {
			t.Errorf("a note that names %s ends with %v, want %v", note, err, holdfast.ErrRefused)
		}
		if read(t, filepath.Join(precious, "file")) != "precious" {
			t.Fatalf("%s was followed", note)
		}
	}
}

func TestDrill_ScratchElsewhere(t *testing.T) {
	w, o := drills(t)
	w.backup("monday")
	dir := filepath.Join(w.dir, "scratch")
	var seen string
	o.onRehearse = func(at, _ string) error {
		seen = at
		info, err := os.Stat(filepath.Dir(at))
		if err == nil && info.Mode().Perm() != 0o700 {
			t.Errorf("the copy is %v, want it private", info.Mode())
		}
		return err
	}
	if _, err := w.engine().Drill(t.Context(), engine.DrillRequest{Name: "monday", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(seen, dir+string(filepath.Separator)+"holdfast-drill-") {
		t.Errorf("the copy was at %s, want it below %s", seen, dir)
	}
	w.noScratch(dir)
}
