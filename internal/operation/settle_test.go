package operation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// left makes a record of a job that a daemon left, in which work came as far as do
// goes.
func (w *world) left(kind string, request any, do func(ctx context.Context, h *job.Handle)) string {
	w.t.Helper()
	done := make(chan struct{})
	j, err := w.Operations.start(kind, "tester", "", request, func(ctx context.Context, h *job.Handle) (any, error) {
		do(ctx, h)
		close(done)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	<-done
	w.next()
	return j.ID
}

// settled gives a job after the next daemon has started.
func (w *world) settled(id string) job.Job {
	w.t.Helper()
	w.settle()
	j, err := w.jobs.Get(id)
	if err != nil {
		w.t.Fatal(err)
	}
	if !j.State.Ended() || j.Outcome == "" {
		w.t.Fatalf("the job is %+v", j)
	}
	return j
}

func nothing(context.Context, *job.Handle) {}

func TestSettle_Backup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, c := range map[string]struct {
		do    func(ctx context.Context, h *job.Handle)
		state job.State
		says  string
	}{
		"before anything":      {nothing, job.Interrupted, "before anything was written"},
		"named, not committed": {func(_ context.Context, h *job.Handle) { h.SetBackup("never") }, job.Interrupted, "nothing was committed"},
		"committed": {func(ctx context.Context, h *job.Handle) {
			if _, err := w.keeper.Backup(naming(ctx, h, KindBackup), engine.BackupRequest{Name: "monday"}); err != nil {
				t.Error(err)
			}
		}, job.Succeeded, "monday was committed"},
		"committed and told": {func(_ context.Context, h *job.Handle) {
			out := report.NewBackupResult("here")
			out.Backup = &report.Backup{Name: "tuesday"}
			h.SetResult(out)
		}, job.Succeeded, "tuesday was committed"},
		"told to be incomplete": {func(_ context.Context, h *job.Handle) {
			out := report.NewBackupResult("here")
			out.Backup, out.Incomplete = &report.Backup{Name: "tuesday"}, true
			h.SetResult(out)
		}, job.Incomplete, "tuesday was committed"},
	} {
		j := w.settled(w.left(KindBackup, BackupRequest{}, c.do))
		if j.State != c.state || !strings.Contains(j.Outcome, c.says) {
			t.Errorf("%s: it is %s, %q", name, j.State, j.Outcome)
		}
		var out report.BackupResult
		if c.state != job.Interrupted {
			if w.read(&out, j); out.Backup == nil || !strings.HasPrefix(c.says, string(out.Backup.Name)) {
				t.Errorf("%s: the result is %s", name, j.Result)
			}
		}
	}
	// An older backup of the name is another one.
	j := w.settled(w.left(KindBackup, BackupRequest{}, func(_ context.Context, h *job.Handle) { h.SetBackup("monday") }))
	if j.State != job.Interrupted || !strings.Contains(j.Outcome, "nothing was committed") {
		t.Errorf("an older one: it is %s, %q", j.State, j.Outcome)
	}
}

// The name of a backup is in the record before it can be committed.
func TestBackup_IsNamedBeforeItIsCommitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id := make(chan string, 1)
	named := make(chan error, 1)
	ctx := holdfast.WithObserver(t.Context(), func(e holdfast.Event) {
		if e.Step != holdfast.StepCommit || e.State != holdfast.Started {
			return
		}
		j, err := w.jobs.Get(<-id)
		if err == nil && j.Backup != "monday" {
			err = errors.New("the job names " + string(j.Backup))
		}
		named <- err
	})
	j, err := w.Operations.start(KindBackup, "tester", "", nil, func(inner context.Context, h *job.Handle) (any, error) {
		id <- h.ID()
		_, err := w.keeper.Backup(naming(holdfast.WithObserver(inner, holdfast.ObserverOf(ctx)), h, KindBackup), engine.BackupRequest{Name: "monday"})
		return nil, err
	})
	w.done(nil, j, err)
	if err := <-named; err != nil {
		t.Error(err)
	}
}

func TestSettle_Proofs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.backup("monday")
	w.write()
	w.backup("tuesday")
	verify := func(name string) func(context.Context, *job.Handle) {
		return func(ctx context.Context, h *job.Handle) {
			e, err := w.keeper.Engine(ctx)
			if err == nil {
				_, err = e.Verify(naming(ctx, h, KindVerify), engine.VerifyRequest{Name: name})
			}
			if err != nil && !errors.Is(err, holdfast.ErrDamaged) {
				t.Error(err)
			}
		}
	}
	drill := func(ctx context.Context, h *job.Handle) {
		e, err := w.keeper.Engine(ctx)
		if err == nil {
			_, err = e.Drill(naming(ctx, h, KindDrill), engine.DrillRequest{Name: "tuesday"})
		}
		if err != nil {
			t.Error(err)
		}
	}
	begun := func(_ context.Context, h *job.Handle) { h.SetBackup("tuesday") }
	for _, c := range []struct {
		name, kind string
		request    any
		do         func(context.Context, *job.Handle)
		state      job.State
		says       string
	}{
		{"not chosen yet", KindVerify, VerifyRequest{}, nothing, job.Interrupted, "nothing was proven"},
		{"chosen", KindVerify, VerifyRequest{}, begun, job.Interrupted, "nothing was proven"},
		{"verified", KindVerify, VerifyRequest{}, verify("tuesday"), job.Succeeded, "tuesday passed"},
		{"one of two", KindVerify, VerifyRequest{All: true}, verify("monday"), job.Interrupted, "1 of 2 backups had been verified"},
		{"a drill begun", KindDrill, DrillRequest{}, begun, job.Interrupted, "nothing was proven"},
		{"a verification is no drill", KindDrill, DrillRequest{}, verify("tuesday"), job.Interrupted, "nothing was proven"},
		{"drilled", KindDrill, DrillRequest{}, drill, job.Succeeded, "tuesday passed"},
		{"gone", KindVerify, VerifyRequest{}, func(_ context.Context, h *job.Handle) { h.SetBackup("sunday") }, job.Interrupted, "nothing was proven"},
	} {
		if j := w.settled(w.left(c.kind, c.request, c.do)); j.State != c.state || !strings.Contains(j.Outcome, c.says) {
			t.Errorf("%s: it is %s, %q", c.name, j.State, j.Outcome)
		}
	}
	damage(t, filepath.Join(w.dir, "backups", "tuesday"))
	if j := w.settled(w.left(KindVerify, VerifyRequest{}, verify("tuesday"))); j.State != job.Failed || !strings.Contains(j.Outcome, "did not pass") {
		t.Errorf("damaged: it is %s, %q", j.State, j.Outcome)
	}
}

func TestSettle_Delete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, name := range []string{"a", "b", "c"} {
		w.backup(name)
	}
	gone := func(names ...holdfast.BackupName) func(context.Context, *job.Handle) {
		return func(ctx context.Context, _ *job.Handle) {
			if err := w.keeper.With(ctx, func(e *engine.Engine) error { _, err := e.Delete(ctx, names...); return err }); err != nil {
				t.Error(err)
			}
		}
	}
	for _, c := range []struct {
		name  string
		do    func(context.Context, *job.Handle)
		state job.State
		says  string
	}{
		{"none", nothing, job.Interrupted, "nothing was deleted"},
		{"one", gone("a"), job.Interrupted, "1 of 2 were gone when the daemon ended; still there: b"},
		{"both", gone("b"), job.Succeeded, "all of them"},
	} {
		j := w.settled(w.left(KindDelete, DeleteRequest{Names: []string{"a", "b"}}, c.do))
		if j.State != c.state || !strings.Contains(j.Outcome, c.says) {
			t.Errorf("%s: it is %s, %q", c.name, j.State, j.Outcome)
		}
	}
	for _, kind := range []string{KindPrune, KindReplicate, KindCompact, KindConfirm} {
		if j := w.settled(w.left(kind, nil, nothing)); j.State != job.Interrupted || !strings.Contains(j.Outcome, "what was done stands") {
			t.Errorf("%s: it is %s, %q", kind, j.State, j.Outcome)
		}
	}
}

// A repository that cannot be asked is told, and keeps no daemon from starting.
func TestSettle_WithoutTheRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.backup("monday")
	id := w.left(KindVerify, VerifyRequest{}, func(_ context.Context, h *job.Handle) { h.SetBackup("monday") })
	backups := filepath.Join(w.dir, "backups")
	if err := os.Rename(backups, backups+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(backups, []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.SetRecovered(nil)
	if err := w.jobs.Settle(t.Context(), w.Settle); err != nil {
		t.Fatal(err)
	}
	j, err := w.jobs.Get(id)
	if err != nil || j.State != job.Interrupted || !strings.Contains(j.Outcome, "not known") || j.Error == nil {
		t.Errorf("it is %+v, %v", j, err)
	}
}

// A restore that is killed at each of its steps, before or after its news has come to
// the disk: the next daemon tells of the job what is true of the data.
func TestSettle_RestoreKilledAtEachStep(t *testing.T) {
	t.Parallel()
	for _, step := range []holdfast.Step{holdfast.StepChoose, holdfast.StepValidate, holdfast.StepStage, holdfast.StepCheck, holdfast.StepSwap, holdfast.StepConfirm, holdfast.StepResult} {
		for _, heard := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s heard %t", step, heard), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, nil)
				w.backup("monday")
				w.write()
				j := w.settled(w.left(KindRestore, RestoreRequest{Name: "monday"}, func(ctx context.Context, _ *job.Handle) {
					w.restoreUntil(ctx, step, heard)
				}))
				t.Logf("it is %s: %s", j.State, j.Outcome)
				switch rows := w.rows(); {
				case rows == 1 && j.State == job.Succeeded:
				case rows == 2 && (j.State == job.Interrupted || j.State == job.Failed):
				default:
					t.Errorf("there are %d rows, and the job is %s, %q", rows, j.State, j.Outcome)
				}
			})
		}
	}
}

// restoreUntil restores with an engine that is cut at the end of a step as by a kill:
// it changes nothing any more, and nothing is heard of it.
func (w *world) restoreUntil(ctx context.Context, step holdfast.Step, heard bool) {
	w.t.Helper()
	disk, err := crashfs.New(w.dir, crashfs.Never)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer func() {
		if err := disk.Close(); err != nil {
			w.t.Error(err)
		}
	}()
	told, dead, reached := holdfast.ObserverOf(ctx), false, false
	observer := func(e holdfast.Event) {
		last := e.Step == step && e.State == holdfast.Finished
		if !dead && (heard || !last) {
			told.Send(e)
		}
		if last {
			dead, reached = true, true
			disk.CutAfter(0)
		}
	}
	r, err := wire.OpenRepository(ctx, w.config)
	if err != nil {
		w.t.Error(err)
		return
	}
	sources, err := wire.Sources(w.config)
	if err != nil {
		w.t.Error(err)
		return
	}
	state, err := wire.StateDir(w.config)
	if err != nil {
		w.t.Error(err)
		return
	}
	e, err := engine.New(engine.Options{Repository: r, Sources: sources, StateDir: state, FS: disk, Observer: observer, Settings: engine.Settings{Compress: true, EmergencyBackup: true}})
	if err != nil {
		w.t.Error(err)
		return
	}
	_, err = e.Restore(context.WithoutCancel(w.t.Context()), engine.RestoreRequest{Name: "monday"})
	if !reached {
		w.t.Errorf("%s was not reached: %v", step, err)
	}
}

// Another command settles a restore that was cut before the next daemon starts: the job tells
// what is there, not how far it was heard to be.
func TestSettle_RestoreThatAnotherHasSettled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil bool // what was placed does not stand its check, and the recovery undoes it
		rows  int64
		state job.State
	}{
		"finished": {false, 1, job.Succeeded},
		"undone":   {true, 2, job.Interrupted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.backup("monday")
			w.write()
			id := w.left(KindRestore, RestoreRequest{Name: "monday"}, func(ctx context.Context, _ *job.Handle) { w.restoreUntil(ctx, holdfast.StepSwap, true) })
			if c.spoil {
				if err := os.WriteFile(w.database, []byte("no database"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			e, err := w.keeper.Engine(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			if j, rows := w.settled(id), w.rows(); rows != c.rows || j.State != c.state {
				t.Errorf("there are %d rows, and the job is %s, %q", rows, j.State, j.Outcome)
			}
		})
	}
}
