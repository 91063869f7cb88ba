package engine_test

import (
	"errors"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// A verification reads without a lock, for hours perhaps. A backup that is
// pruned meanwhile is gone, and not damaged.
func TestVerify_ABackupDeletedMeanwhileIsNotDamaged(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.opts.Observer = func(e holdfast.Event) {
		if e.Step == holdfast.StepVerify && e.State == holdfast.Started {
			if _, err := w.repo.Delete(t.Context(), "monday"); err != nil {
				t.Errorf("delete: %v", err)
			}
		}
	}
	v, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "monday"})
	if v != nil || !errors.Is(err, holdfast.ErrNotFound) || errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("got %+v, %v", v, err)
	}
}
