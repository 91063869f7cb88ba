package control_test

import (
	"context"
	"errors"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/control"
)

// What is locked for a moment is done after it; another failure is told at once.
func TestPatiently(t *testing.T) {
	tries := 0
	err := control.Patiently(t.Context(), func(context.Context) error {
		if tries++; tries < 4 {
			return &holdfast.Error{Op: "recover", Err: holdfast.ErrLocked}
		}
		return nil
	})
	if err != nil || tries != 4 {
		t.Errorf("%v after %d tries", err, tries)
	}
	broken := errors.New("broken")
	tries = 0
	if err := control.Patiently(t.Context(), func(context.Context) error { tries++; return broken }); !errors.Is(err, broken) || tries != 1 {
		t.Errorf("%v after %d tries", err, tries)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := control.Patiently(ctx, func(context.Context) error { cancel(); return holdfast.ErrLocked }); !errors.Is(err, holdfast.ErrLocked) {
		t.Error(err)
	}
}
