package operation

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

func TestRestoreAndRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.backup("monday")
	w.write()
	plan, err := w.PlanRestore(t.Context(), RestoreRequest{Name: "latest"})
	if err != nil || plan.Backup != "monday" || len(plan.Targets) != 1 || *plan.Targets[0].RecordsNow != 2 || *plan.Targets[0].RecordsBackup != 1 {
		t.Errorf("the plan is %+v, %v", plan, err)
	}
	var out report.Restore
	j, err := w.Restore(t.Context(), "tester", "", RestoreRequest{Name: "monday"})
	j = w.done(&out, j, err)
	if w.rows() != 1 || out.Type != "restore" || out.Backup != "monday" || out.Emergency == "" || j.Backup != "monday" {
		t.Errorf("%d rows, %+v", w.rows(), out)
	}
	var steps []string
	for ev, err := range w.jobs.Events(t.Context(), j.ID, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Event != nil && ev.Event.Op == "restore" && ev.Event.State == holdfast.Finished {
			steps = append(steps, string(ev.Event.Step))
		}
	}
	for _, step := range []holdfast.Step{holdfast.StepEmergency, holdfast.StepValidate, holdfast.StepSwap, holdfast.StepConfirm} {
		if !strings.Contains(strings.Join(steps, " "), string(step)) {
			t.Errorf("the steps %v lack %s", steps, step)
		}
	}
	j, err = w.Rollback(t.Context(), "tester", "", RollbackRequest{})
	if w.done(&out, j, err); w.rows() != 2 || out.Type != "rollback" {
		t.Errorf("%d rows, %+v", w.rows(), out)
	}
	var recovered report.Recover
	j, err = w.Recover(t.Context(), "tester", "", RecoverRequest{})
	if w.done(&recovered, j, err); recovered.Found {
		t.Errorf("there was nothing to recover, and it found %+v", recovered)
	}
}

// The second of two restores is refused while the first is at work, and no request
// names a place.
func TestRestore_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.backup("monday")
	letGo := make(chan struct{})
	first, err := w.busy(KindRestore, letGo)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Restore(t.Context(), "tester", "", RestoreRequest{Name: "monday"})
	mustBe(t, "a second restore", err, holdfast.ErrLocked)
	_, err = w.Rollback(t.Context(), "tester", "", RollbackRequest{})
	mustBe(t, "a rollback", err, holdfast.ErrLocked)
	_, err = w.Recover(t.Context(), "tester", "", RecoverRequest{})
	mustBe(t, "a recovery", err, holdfast.ErrLocked)
	close(letGo)
	w.end(first, nil)
	for name, q := range map[string]RestoreRequest{
		"no name": {}, "a path": {Name: "../monday"}, "a source that is a path": {Name: "monday", Only: []string{"../bot"}},
	} {
		_, err := w.Restore(t.Context(), "tester", "", q)
		mustBe(t, name, err, holdfast.ErrUsage)
		_, err = w.PlanRestore(t.Context(), q)
		mustBe(t, name, err, holdfast.ErrUsage)
	}
	if j := w.end(w.Restore(t.Context(), "tester", "", RestoreRequest{Name: "nobody"})); j.State != job.Failed || j.Error.Code != "not_found" {
		t.Errorf("a backup that is not there: %+v", j)
	}
}

// busy begins a job of a kind that works until it is let go.
func (w *world) busy(kind string, letGo <-chan struct{}) (job.Job, error) {
	return w.Operations.start(kind, "tester", "", nil, func(ctx context.Context, _ *job.Handle) (any, error) {
		select {
		case <-letGo:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	})
}

func TestVerifyAndDrill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.backup("monday")
	w.write()
	w.backup("tuesday")
	var one, all report.Verify
	j, err := w.Verify(t.Context(), "tester", "", VerifyRequest{Full: true})
	if j = w.done(&one, j, err); !one.OK || len(one.Results) != 1 || one.Results[0].Backup != "tuesday" || j.Backup != "tuesday" {
		t.Errorf("%+v, %+v", j, one)
	}
	var drilled report.Drill
	j, err = w.Drill(t.Context(), "tester", "", DrillRequest{Name: "monday"})
	if j = w.done(&drilled, j, err); !drilled.OK || drilled.Backup != "monday" || drilled.Proof == nil || drilled.Proof.Kind != holdfast.ProofDrill || j.Backup != "monday" {
		t.Errorf("%+v, %+v", j, drilled)
	}
	damage(t, filepath.Join(w.dir, "backups", "monday"))
	j = w.end(w.Verify(t.Context(), "tester", "", VerifyRequest{All: true}))
	if w.read(&all, j); j.State != job.Failed || j.Error.Code != "damaged" || all.OK || len(all.Results) != 2 {
		t.Errorf("%+v, %+v", j, all)
	}
	_, err = w.Verify(t.Context(), "tester", "", VerifyRequest{All: true, Name: "monday"})
	mustBe(t, "both", err, holdfast.ErrUsage)
	for _, name := range []string{"../monday", "/", "a/b"} {
		_, err = w.Verify(t.Context(), "tester", "", VerifyRequest{Name: name})
		mustBe(t, name, err, holdfast.ErrUsage)
		_, err = w.Drill(t.Context(), "tester", "", DrillRequest{Name: name})
		mustBe(t, name, err, holdfast.ErrUsage)
	}
	if j := w.end(w.Verify(t.Context(), "tester", "", VerifyRequest{Name: "nobody"})); j.State != job.Failed || j.Error.Code != "not_found" || j.Result != nil {
		t.Errorf("a backup that is not there: %+v", j)
	}
}

// damage turns over one bit of the stored database of a backup.
func damage(t *testing.T, backup string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(backup, "bot", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVerify_TwoSideBySide(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.backup("monday")
	letGo := make(chan struct{})
	var busy []job.Job
	for range mostProving {
		j, err := w.busy(KindVerify, letGo)
		if err != nil {
			t.Fatal(err)
		}
		busy = append(busy, j)
	}
	third, err := w.Verify(t.Context(), "tester", "", VerifyRequest{})
	if err != nil || third.State != job.Queued {
		t.Errorf("a third is %+v, %v", third, err)
	}
	if out := w.backup("meanwhile"); out.Backup == nil {
		t.Error("no backup is made beside them")
	}
	close(letGo)
	for _, j := range busy {
		w.end(j, nil)
	}
	w.done(nil, third, nil)
}

func TestDeletePinAndPrune(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"retention.days": "0"})
	for _, name := range []string{"a", "b", "c", "d"} {
		w.backup(name)
		w.write()
	}
	pin, err := w.Pin(t.Context(), "a", true)
	if err != nil || !pin.Pinned || pin.Backup != "a" {
		t.Fatalf("%+v, %v", pin, err)
	}
	// All or none.
	for names, code := range map[string]string{"b a": "refused", "b nobody": "not_found"} {
		j := w.end(w.Delete(t.Context(), "tester", "", DeleteRequest{Names: strings.Fields(names)}))
		if j.State != job.Failed || j.Error.Code != code {
			t.Errorf("delete %s: %+v", names, j)
		}
	}
	if len(w.backups()) != 4 {
		t.Errorf("left are %d", len(w.backups()))
	}
	for name, q := range map[string]DeleteRequest{"none": {}, "latest": {Names: []string{"latest"}}, "a path": {Names: []string{"../a"}}} {
		_, err := w.Delete(t.Context(), "tester", "", q)
		mustBe(t, name, err, holdfast.ErrUsage)
	}
	var deleted report.Delete
	j, err := w.Delete(t.Context(), "tester", "", DeleteRequest{Names: []string{"b", "b"}})
	if w.done(&deleted, j, err); len(deleted.Deleted) != 1 || deleted.Deleted[0] != "b" || len(w.backups()) != 3 {
		t.Errorf("%+v", deleted)
	}
	if pin, err = w.Pin(t.Context(), "a", false); err != nil || pin.Pinned {
		t.Errorf("%+v, %v", pin, err)
	}
	_, err = w.Pin(t.Context(), "../a", true)
	mustBe(t, "a path", err, holdfast.ErrUsage)
	_, err = w.Pin(t.Context(), "nobody", true)
	mustBe(t, "nobody", err, holdfast.ErrNotFound)

	w.config.Retention.KeepLast = 1
	w.start()
	plan, err := w.PlanPrune(t.Context())
	if err != nil || !plan.DryRun || plan.Removed != 2 {
		t.Errorf("the plan is %+v, %v", plan, err)
	}
	var dry, pruned report.Prune
	j, err = w.Prune(t.Context(), "tester", "", PruneRequest{DryRun: true})
	if w.done(&dry, j, err); !dry.DryRun || dry.Removed != 2 || len(w.backups()) != 3 {
		t.Errorf("%+v", dry)
	}
	j, err = w.Prune(t.Context(), "tester", "", PruneRequest{})
	if w.done(&pruned, j, err); pruned.Removed != 2 || len(w.backups()) != 1 {
		t.Errorf("%+v", pruned)
	}
	var confirmed report.Prune
	j, err = w.Confirm(t.Context(), "tester", "", ConfirmRequest{})
	if j = w.done(&confirmed, j, err); confirmed.Confirmed || j.Outcome != "pruning was not on hold" {
		t.Errorf("%+v", j)
	}
	_, err = w.Prune(t.Context(), "tester", "", PruneRequest{DryRun: true, Confirm: true})
	mustBe(t, "both", err, holdfast.ErrUsage)
	var compacted report.Compact
	j, err = w.Compact(t.Context(), "tester", "", CompactRequest{})
	if w.done(&compacted, j, err); compacted.Type != "compact" || compacted.DryRun {
		t.Errorf("%+v", compacted)
	}
	j, err = w.Compact(t.Context(), "tester", "", CompactRequest{DryRun: true})
	if w.done(&compacted, j, err); !compacted.DryRun {
		t.Errorf("%+v", compacted)
	}
}

// What is wrong with the wiring is told when it is made.
func TestNew_Refuses(t *testing.T) {
	_, err := New(Options{})
	mustBe(t, "nothing", err, holdfast.ErrUsage)
}

// A newest backup that a job finds to be damaged saves nothing: the keeper knows at once, and
// takes it for no recent one.
func TestProving_TheKeeperKnowsOfDamage(t *testing.T) {
	t.Parallel()
	for name, prove := range map[string]func(w *world) (job.Job, error){
		"verify": func(w *world) (job.Job, error) {
			return w.Verify(t.Context(), "tester", "", VerifyRequest{Name: "latest"})
		},
		"drill": func(w *world) (job.Job, error) {
			return w.Drill(t.Context(), "tester", "", DrillRequest{Name: "latest"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.rest()
			w.backup("monday")
			if _, ok := w.keeper.Recent(time.Hour); !ok {
				t.Fatal("the keeper does not know the backup that it made")
			}
			damage(t, filepath.Join(w.dir, "backups", "monday"))
			if j := w.end(prove(w)); j.State != job.Failed {
				t.Fatalf("the job is %s", j.State)
			}
			if _, ok := w.keeper.Recent(time.Hour); ok {
				t.Error("the keeper takes it for one that holds everything")
			}
		})
	}
}
