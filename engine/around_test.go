package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// A witness is told before and after verbs.
type witness struct {
	calls    []string // before backup, after backup …
	before   []engine.Verb
	after    []engine.Verb
	onBefore func(ctx context.Context) error
	onAfter  func(ctx context.Context) []holdfast.Problem
}

func (w *witness) Before(ctx context.Context, v engine.Verb) error {
	w.calls, w.before = append(w.calls, "before "+v.Op), append(w.before, v)
	if w.onBefore != nil {
		return w.onBefore(ctx)
	}
	return nil
}

func (w *witness) After(ctx context.Context, v engine.Verb) []holdfast.Problem {
	w.calls, w.after = append(w.calls, "after "+v.Op), append(w.after, v)
	if w.onAfter != nil {
		return w.onAfter(ctx)
	}
	return nil
}

func (w *witness) want(t *testing.T, calls ...string) {
	t.Helper()
	if !slices.Equal(w.calls, calls) {
		t.Errorf("told were %q, want %q", w.calls, calls)
	}
}

// last is what was told last.
func (w *witness) last(t *testing.T) engine.Verb {
	t.Helper()
	if len(w.after) == 0 {
		t.Fatal("nobody was told of the end")
	}
	return w.after[len(w.after)-1]
}

func witnessed(t *testing.T) (*world, *witness) {
	w, told := newWorld(t), &witness{}
	w.opts.Around = told
	return w, told
}

func TestAround_IsToldOfEachVerbOnce(t *testing.T) {
	w, told := witnessed(t)
	inside := func() (names []holdfast.BackupName) { return w.names() }
	var before, after [][]holdfast.BackupName
	told.onBefore = func(context.Context) error { before = append(before, inside()); return nil }
	told.onAfter = func(ctx context.Context) []holdfast.Problem {
		after = append(after, inside())
		lease, err := w.repo.Lock(ctx, "a hook") // the verb has let go
		if err != nil {
			t.Errorf("after a verb: %v", err)
			return nil
		}
		return warn(lease.Release())
	}
	ctx := holdfast.WithOperation(t.Context(), "job-7")
	e := w.engine()
	made, err := e.Backup(ctx, engine.BackupRequest{Name: "monday", Trigger: holdfast.TriggerAuto})
	if err != nil {
		t.Fatal(err)
	}
	if len(before[0]) != 0 || len(after[0]) != 1 {
		t.Errorf("a backup: before it %v, after it %v", before[0], after[0])
	}
	v := told.last(t)
	if v.Operation != "job-7" || v.Trigger != holdfast.TriggerAuto || v.Backup != "monday" || v.Err != nil || v.Unchanged ||
		v.Stored != made.Backup.Metadata.StoredBytes || v.Stored == 0 || v.Duration <= 0 || !slices.Equal(v.Sources, []string{"bot", "chromadb"}) {
		t.Errorf("of a backup: %+v", v)
	}
	if b := told.before[0]; b.Backup != "" || b.Begun != v.Begun || b.Operation != "job-7" || b.Err != nil {
		t.Errorf("before a backup: %+v", b)
	}
	w.set("two")
	if _, err := e.Restore(ctx, engine.RestoreRequest{Name: "monday"}); err != nil {
		t.Fatal(err)
	}
	if len(before[1]) != 1 || len(after[1]) != 2 { // the emergency backup
		t.Errorf("a restore: before it %v, after it %v", before[1], after[1])
	}
	if v := told.last(t); v.Backup != "monday" || told.before[1].Backup != "monday" || len(v.Sources) != 2 || v.Trigger != "" {
		t.Errorf("of a restore: %+v", v)
	}
	if _, err := e.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	w.want("two")
	told.want(t, "before backup", "after backup", "before restore", "after restore", "before rollback", "after rollback")
}

func warn(err error) []holdfast.Problem {
	if err == nil {
		return nil
	}
	return []holdfast.Problem{{Message: err.Error(), Severity: holdfast.Damaged}}
}

func TestAround_IsNotToldOfWhatIsNoBusinessOfIt(t *testing.T) {
	w, told := witnessed(t)
	made := w.backup("monday")
	told.calls = nil
	ctx, e := t.Context(), w.engine()
	for name, verb := range map[string]func() error{
		"a restore elsewhere": func() error {
			_, err := e.Restore(ctx, engine.RestoreRequest{Name: "monday", To: t.TempDir()})
			return err
		},
		"a plan":  func() error { _, err := e.PlanRestore(ctx, engine.RestoreRequest{Name: "monday"}); return err },
		"recover": func() error { _, err := e.Recover(ctx); return err },
		"verify": func() error {
			_, err := e.Verify(ctx, engine.VerifyRequest{Name: string(made.Backup.Name)})
			return err
		},
	} {
		if err := verb(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	told.want(t)
}

// What cannot be meant, or only waits, bothers nobody: a backup that waits for a lock
// is tried again all the time.
func TestAround_CheapRefusalsCallNobody(t *testing.T) {
	w, told := witnessed(t)
	e := w.engine()
	backup := func(req engine.BackupRequest) error { _, err := e.Backup(t.Context(), req); return err }
	for name, c := range map[string]struct {
		verb func() error
		want error
	}{
		"a trigger":    {func() error { return backup(engine.BackupRequest{Trigger: "moon"}) }, holdfast.ErrUsage},
		"a name":       {func() error { return backup(engine.BackupRequest{Name: "../x"}) }, holdfast.ErrUsage},
		"a type":       {func() error { return backup(engine.BackupRequest{Type: "fat"}) }, holdfast.ErrUsage},
		"no backup":    {func() error { _, err := e.Restore(t.Context(), engine.RestoreRequest{Name: "x"}); return err }, holdfast.ErrNotFound},
		"no rollback":  {func() error { _, err := e.Rollback(t.Context()); return err }, holdfast.ErrNotFound},
		"another lock": {func() error { return locked(t, w.repo, func() error { return backup(engine.BackupRequest{}) }) }, holdfast.ErrLocked},
	} {
		if err := c.verb(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	told.want(t)
}

// locked does something while another one has the repository.
func locked(t *testing.T, r *repo.Repository, fn func() error) error {
	t.Helper()
	lease, err := r.Lock(t.Context(), "another")
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release()
	return fn()
}

func TestAround_ARefusalLeavesNothing(t *testing.T) {
	w, told := witnessed(t)
	w.backup("monday")
	w.set("two")
	e := w.engine()
	no := &holdfast.Error{Op: "hook before", Err: errors.New("exit status 3: the shop is open"), Hint: "close the shop"}
	for name, c := range map[string]struct {
		refuse func(context.Context) error
		words  string
	}{
		"an error":           {func(context.Context) error { return no }, "the shop is open"},
		"an error of a kind": {func(context.Context) error { return fmt.Errorf("%w: my own", holdfast.ErrDamaged) }, "my own"},
		"a panic":            {func(context.Context) error { panic("out of paper") }, "panic: out of paper"},
	} {
		t.Run(name, func(t *testing.T) {
			told.onBefore, told.calls = c.refuse, nil
			_, backup := e.Backup(t.Context(), engine.BackupRequest{})
			_, restore := e.Restore(t.Context(), engine.RestoreRequest{Name: "monday"})
			for _, err := range []error{backup, restore} {
				if holdfast.ExitCode(err) != holdfast.ExitRefused || errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), c.words) || holdfast.HintOf(err) == "" {
					t.Errorf("refused: %v (exit %d, hint %q)", err, holdfast.ExitCode(err), holdfast.HintOf(err))
				}
			}
			told.want(t, "before backup", "after backup", "before restore", "after restore")
			if v := told.last(t); !errors.Is(v.Err, holdfast.ErrRefused) {
				t.Errorf("the end: %+v", v)
			}
		})
	}
	w.want("two")
	w.clean()
	if got := w.names(); len(got) != 1 {
		t.Errorf("there are %v", got)
	}
	told.onBefore = func(context.Context) error { return no }
	if _, err := e.Backup(t.Context(), engine.BackupRequest{}); holdfast.HintOf(err) != "close the shop" {
		t.Errorf("the hint is %q", holdfast.HintOf(err))
	}
}

func TestAround_IsToldOfFailures(t *testing.T) {
	w, told := witnessed(t)
	full := errors.New("the tape is full")
	w.bot.onCapture = func() error { return full }
	if _, err := w.engine().Backup(t.Context(), engine.BackupRequest{}); !errors.Is(err, full) {
		t.Fatal(err)
	}
	told.want(t, "before backup", "after backup")
	if v := told.last(t); !errors.Is(v.Err, full) || v.Stored != 0 || v.Duration <= 0 {
		t.Errorf("the end: %+v", v)
	}
}

func TestAround_AFaultOfTheVerbIsToldAndGoesOn(t *testing.T) {
	w, told := witnessed(t)
	w.bot.onCapture = func() error { panic("a bug") }
	func() {
		defer func() {
			if recover() != "a bug" {
				t.Error("the panic is gone")
			}
		}()
		w.engine().Backup(t.Context(), engine.BackupRequest{})
	}()
	told.want(t, "before backup", "after backup")
	if told.last(t).Err == nil {
		t.Error("it counts as a success")
	}
}

func TestAround_WhatFailsAfterwardsIsAWarning(t *testing.T) {
	w, told := witnessed(t)
	for name, after := range map[string]func(context.Context) []holdfast.Problem{
		"a problem": func(context.Context) []holdfast.Problem { return warn(errors.New("nobody listens")) },
		"a panic":   func(context.Context) []holdfast.Problem { panic("nobody listens") },
	} {
		told.onAfter = after
		made, err := w.engine().Backup(t.Context(), engine.BackupRequest{})
		if err != nil {
			t.Fatal(err)
		}
		restored, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "latest"})
		if err != nil {
			t.Fatal(err)
		}
		for _, problems := range [][]holdfast.Problem{made.Problems, restored.Problems} {
			i := slices.IndexFunc(problems, func(p holdfast.Problem) bool { return strings.Contains(p.Message, "nobody listens") })
			if i < 0 || problems[i].Severity != holdfast.Warning {
				t.Errorf("%s: %+v", name, problems)
			}
		}
		if made.Incomplete() {
			t.Errorf("%s: the backup counts as incomplete", name)
		}
	}
}

func TestAround_UnchangedIsASuccess(t *testing.T) {
	w, told := witnessed(t)
	w.remembering()
	w.backup("monday")
	w.again(holdfast.TriggerChange)
	if v := told.last(t); !v.Unchanged || v.Backup != "monday" || v.Err != nil || v.Stored != 0 {
		t.Errorf("nothing has changed: %+v", v)
	}
}

// Whoever is told of an interrupted verb has a moment for it.
func TestAround_OutlivesAnInterruption(t *testing.T) {
	w, told := witnessed(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w.bot.onCapture = func() error { cancel(); return ctx.Err() }
		var lived time.Duration
		told.onAfter = func(ctx context.Context) []holdfast.Problem {
			if ctx.Err() != nil {
				t.Error("it has no time at all")
			}
			begun := time.Now()
			<-ctx.Done()
			lived = time.Since(begun)
			return nil
		}
		_, err := w.engine().Backup(ctx, engine.BackupRequest{})
		if holdfast.ExitCode(err) != holdfast.ExitInterrupted || !errors.Is(told.last(t).Err, context.Canceled) {
			t.Errorf("interrupted: %v, told %v", err, told.last(t).Err)
		}
		if lived != 15*time.Second {
			t.Errorf("it had %s", lived)
		}
	})
	if len(w.names()) != 0 {
		t.Errorf("there are %v", w.names())
	}
}

// Who is interrupted while it is asked whether a verb may begin has refused nothing.
func TestAround_AnInterruptionIsNoRefusal(t *testing.T) {
	w, told := witnessed(t)
	ctx, cancel := context.WithCancel(t.Context())
	told.onBefore = func(context.Context) error { cancel(); return errors.New("killed") }
	_, err := w.engine().Backup(ctx, engine.BackupRequest{})
	if holdfast.ExitCode(err) != holdfast.ExitInterrupted {
		t.Errorf("interrupted: %v", err)
	}
	told.want(t, "before backup", "after backup")
}
