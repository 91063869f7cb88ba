package holdfast

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"
)

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{Kindf(ErrUsage, "bad flag"), 2},
		{fmt.Errorf("wrapped: %w", ErrIncomplete), 3},
		{&Error{Op: "open", Err: ErrNotFound}, 10},
		{&Error{Op: "lock", Err: &LockedError{Object: "r"}}, 11},
		{&DamagedError{Backup: "b"}, 12},
		{Kindf(ErrRefused, "no space"), 13},
		{fmt.Errorf("backup: %w", context.Canceled), 130},
		{errors.Join(ErrDamaged, context.Canceled), 130}, // the person interrupted: say so first
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("ExitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

func TestError_TextAndHint(t *testing.T) {
	err := fmt.Errorf("context: %w", error(&Error{
		Op: "restore", Object: "monday", Hint: "outer",
		Err: &Error{Op: "stage", Object: "bot.db", Err: fs.ErrPermission, Hint: "give the user write permission"},
	}))
	if got, want := err.Error(), "context: restore monday: stage bot.db: permission denied"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := HintOf(err), "give the user write permission"; got != want {
		t.Errorf("HintOf gives %q, want the one nearest to the cause, %q", got, want)
	}
	if !errors.Is(err, fs.ErrPermission) {
		t.Error("the cause is lost")
	}
	if got := HintOf(errors.Join(errors.New("x"), err)); got == "" {
		t.Error("a hint inside a joined error is lost")
	}
}

func TestKindf_TextIsOnlyTheMessage(t *testing.T) {
	err := Kindf(ErrRefused, "needs %d MB: %w", 7, fs.ErrExist)
	if err.Error() != "needs 7 MB: file already exists" {
		t.Errorf("text is %q", err)
	}
	if !errors.Is(err, ErrRefused) || !errors.Is(err, fs.ErrExist) {
		t.Error("kind or cause is lost")
	}
}

func TestLockedError_NamesTheOwner(t *testing.T) {
	err := error(&LockedError{Object: "repository", Owner: Owner{Host: "box", PID: 42, Purpose: "backup", Since: time.Unix(0, 0)}})
	want := "repository is in use by process 42 on box (backup, since 1970-01-01T00:00:00Z)"
	if err.Error() != want || !errors.Is(err, ErrLocked) {
		t.Errorf("got %q, want %q that matches ErrLocked", err, want)
	}
}

func TestDamagedError_NamesTheFile(t *testing.T) {
	err := error(&DamagedError{Backup: "monday", Problems: []Problem{{Object: "bot/bot.db.zst", Message: "checksum differs"}, {Object: "x"}}})
	if got, want := err.Error(), "backup monday is damaged: bot/bot.db.zst: checksum differs (and 1 more)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
