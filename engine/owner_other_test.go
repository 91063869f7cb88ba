//go:build !linux

package engine_test

import (
	"testing"

	"github.com/holdfast-backup/holdfast/engine"
)

func TestPlanRestore_SaysThatLiveOwnersCannotBeFoundHere(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	p, err := w.engine().PlanRestore(t.Context(), engine.RestoreRequest{Name: "monday"})
	if err != nil || len(p.Warnings) == 0 {
		t.Fatalf("a system that cannot tell does not say so: %+v, %v", p, err)
	}
}
