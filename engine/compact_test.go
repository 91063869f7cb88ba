package engine_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// What a plan of compact says is what it does, step by step for whoever looks
// on; a deleted backup is then gone with its space, and what referred to it is
// whole.
func TestCompact_DoesWhatItPlans(t *testing.T) {
	w := newWorld(t)
	var err error
	if w.repo, err = repo.Open(t.Context(), w.bucket, repo.Options{Cache: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	w.opts.Repository, w.opts.Sources = w.repo, []holdfast.Source{w.bot}
	w.opts.Settings.Deltas = engine.DeltasAlways
	data := make([]byte, 1<<20)
	noise := rand.NewChaCha8([32]byte{1})
	noise.Read(data)
	for _, name := range []string{"full", "delta"} {
		noise.Read(data[:8192])
		write(t, w.bot.path, string(data))
		if _, err := w.engine().Backup(t.Context(), engine.BackupRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	gone, err := w.engine().Delete(t.Context(), "full")
	if err != nil || len(gone) != 1 || !gone[0].Hidden || gone[0].Held < 1<<20 || !slices.Equal(gone[0].NeededBy, []holdfast.BackupName{"delta"}) {
		t.Fatalf("%v %+v", err, gone)
	}
	if _, err := w.engine().Delete(t.Context(), "full"); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}

	plan, err := w.engine().PlanCompact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.events = nil
	done, err := w.engine().Compact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Rewritten) != 1 || len(plan.Rewrites) != 1 || done.Rewritten[0].Backup != plan.Rewrites[0].Backup || !slices.Equal(done.Freed, plan.Frees) || done.FreedBytes() != gone[0].Held {
		t.Errorf("planned %+v, done %+v", plan, done)
	}
	var last holdfast.Event
	finished := false
	for _, e := range w.events {
		if e.Step == holdfast.StepCompact && e.State == holdfast.Progress {
			last = e
		}
		finished = finished || e.Step == holdfast.StepCompact && e.State == holdfast.Finished && e.Message != ""
	}
	if !finished || last.Path != "delta" || last.Total == 0 || last.Done != last.Total {
		t.Errorf("finished %v, the last progress was %+v", finished, last)
	}
	if v, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "delta"}); err != nil {
		t.Errorf("%v %+v", err, v)
	}
	if list, err := w.repo.Hidden(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("%v %+v", err, list)
	}
}
