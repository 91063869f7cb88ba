package engine_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
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
	if runtime.GOOS != "linux" {
		w := newWorld(t)
		w.backup("monday")
		p, err := w.engine().PlanRestore(t.Context(), engine.RestoreRequest{Name: "monday"})
		if err != nil || len(p.Warnings) == 0 {
			t.Fatalf("a system that cannot tell does not say so: %+v, %v", p, err)
		}
		return
	}
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
