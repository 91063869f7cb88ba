package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

func TestRestore_CancelledAnywhereLeavesTheOldState(t *testing.T) {
	steps := []holdfast.Step{
		holdfast.StepChoose, holdfast.StepEmergency, holdfast.StepCapture, holdfast.StepVerify, holdfast.StepValidate,
		holdfast.StepStage, holdfast.StepCheck, holdfast.StepStop, holdfast.StepSwap, holdfast.StepStart, holdfast.StepConfirm,
	}
	for _, step := range steps {
		t.Run(string(step), func(t *testing.T) {
			w := newWorld(t)
			w.backup("monday")
			w.set("two")
			w.opts.Hooks = engine.Hooks{Stop: "true", Start: "true"}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.opts.Observer = func(e holdfast.Event) {
				if e.Step == step && e.State == holdfast.Started {
					cancel()
				}
			}
			_, err := w.engine().Restore(ctx, engine.RestoreRequest{Name: "monday"})
			if holdfast.ExitCode(err) != holdfast.ExitInterrupted {
				t.Errorf("got %v", err)
			}
			w.want("two")
			w.clean()
			if got := w.asides(); len(got) != 0 {
				t.Errorf("still aside: %v", got)
			}
		})
	}
}

// A faulty disk fails operations that a function chooses.
type faulty struct {
	durable.FS
	fail func(op, name string) error
}

func (f faulty) Create(name string, perm os.FileMode) (durable.File, error) {
	if err := f.fail("create", name); err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return f.FS.Create(name, perm)
}

func (f faulty) Mkdir(name string, perm os.FileMode) error {
	if err := f.fail("mkdir", name); err != nil {
		return &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return f.FS.Mkdir(name, perm)
}

func (f faulty) RenameNew(from, to string) error {
	if err := f.fail("rename", to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return f.FS.RenameNew(from, to)
}

func TestRestore_AFullDiskIsARefusal(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	w.opts.FS = faulty{durable.OS, func(op, name string) error {
		if op == "create" && strings.Contains(name, ".holdfast-stage-") {
			return syscall.ENOSPC
		}
		return nil
	}}
	_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday"})
	if holdfast.ExitCode(err) != holdfast.ExitRefused || holdfast.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	w.want("two")
	w.clean()
}

func TestRestore_AFailingRenamePutsEverythingBack(t *testing.T) {
	for _, at := range []string{"bot_database.db", "chromadb"} {
		t.Run(at, func(t *testing.T) {
			w := newWorld(t)
			w.backup("monday")
			w.set("two")
			failed := false
			w.opts.FS = faulty{durable.OS, func(op, name string) error {
				if op == "rename" && filepath.Base(name) == at && !failed {
					failed = true // undoing needs the same name
					return syscall.EIO
				}
				return nil
			}}
			r, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday"})
			if !errors.Is(err, syscall.EIO) || !r.RolledBack {
				t.Errorf("%+v, %v", r, err)
			}
			w.want("two")
			w.clean()
		})
	}
}

func TestRestore_WhatCannotBePutBackNowIsPutBackAtTheNextStart(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	broken := true
	w.opts.FS = faulty{durable.OS, func(op, name string) error {
		if op == "rename" && broken && filepath.Base(name) == "chromadb" {
			return syscall.EIO
		}
		return nil
	}}
	_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday"})
	if !errors.Is(err, syscall.EIO) || !strings.Contains(holdfast.HintOf(errors.Unwrap(err)), "") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(err.Error(), "put the previous state back") {
		t.Errorf("the error does not say that the old state is not back: %v", err)
	}
	broken = false
	w.backup("next") // any verb settles it first
	w.want("two")
	w.clean()
}

func TestRestore_SwapsInsideATargetThatCannotBeReplaced(t *testing.T) {
	tests := map[string]func(w *world) durable.FS{
		"mount point": func(w *world) durable.FS { return stubborn{durable.OS, w.rag.path} },
		"closed parent": func(w *world) durable.FS {
			return faulty{durable.OS, func(op, name string) error {
				if op == "mkdir" && filepath.Dir(name) == filepath.Dir(w.rag.path) {
					return syscall.EACCES
				}
				return nil
			}}
		},
		"read-only parent": func(w *world) durable.FS {
			return faulty{durable.OS, func(op, name string) error {
				if op == "mkdir" && filepath.Dir(name) == filepath.Dir(w.rag.path) {
					return syscall.EROFS
				}
				return nil
			}}
		},
	}
	for name, disk := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.backup("monday")
			w.set("two")
			write(t, filepath.Join(w.rag.path, "only-now"), "x")
			before, err := os.Stat(w.rag.path)
			if err != nil {
				t.Fatal(err)
			}
			w.opts.FS = disk(w)
			r := w.restore(engine.RestoreRequest{Name: "monday"})
			w.want("one")
			after, err := os.Stat(w.rag.path)
			if err != nil {
				t.Fatal(err)
			}
			if !os.SameFile(before, after) {
				t.Error("the directory itself was replaced")
			}
			if _, err := os.Stat(filepath.Join(w.rag.path, "only-now")); err == nil {
				t.Error("an entry of the old set stayed among the new one")
			}
			w.clean()
			if len(r.Aside) > 0 {
				t.Errorf("kept %v although the emergency backup holds it", r.Aside)
			}
			if _, err := w.engine().Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.want("two")
			w.clean()
		})
	}
}

func TestRollback(t *testing.T) {
	for _, declined := range []bool{false, true} {
		w := newWorld(t)
		if _, err := w.engine().Rollback(t.Context()); holdfast.ExitCode(err) != holdfast.ExitNotFound {
			t.Errorf("without a restore: %v", err)
		}
		w.backup("monday")
		w.set("two")
		w.restore(engine.RestoreRequest{Name: "monday", NoEmergency: declined})
		r, err := w.engine().Rollback(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.want("two")
		w.clean()
		if r.Emergency == "" || len(r.Restored) != 2 {
			t.Errorf("the state that a rollback replaces is not safe: %+v", r)
		}
		if got := w.asides(); len(got) > 0 {
			t.Errorf("still aside: %v", got)
		}
		if _, err := w.engine().Rollback(t.Context()); holdfast.ExitCode(err) != holdfast.ExitNotFound || !strings.Contains(err.Error(), "undone already") {
			t.Errorf("the second time: %v", err)
		}
	}
}

func TestRollback_OfARestoreOntoNothing(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	if err := os.Remove(w.bot.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(w.bot.path + "-wal"); err != nil {
		t.Fatal(err)
	}
	w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"bot"}})
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(w.bot.path); !os.IsNotExist(err) {
		t.Errorf("there was nothing before: %v", err)
	}
	w.clean()
}

func TestRestore_WhileAnotherVerbIsAtWork(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	lease, err := w.repo.Lock(t.Context(), "backup")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday"})
	if holdfast.ExitCode(err) != holdfast.ExitLocked {
		t.Errorf("got %v", err)
	}
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
	w.restore(engine.RestoreRequest{Name: "monday"})
}
