package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-backup/holdfast"
)

// A delta is no better than what it refers to. When something of that turns out
// to be damaged or gone while the delta is being made, the delta is given up and
// the same backup made once more as a full one: the newest backup then restores,
// and the next ones rest on it.

// A baseError tells that what a delta refers to is damaged.
type baseError struct {
	base holdfast.BackupName
	err  error
}

func (e *baseError) Error() string {
	return fmt.Sprintf("what %s holds cannot be read: %v", e.base, e.err)
}
func (e *baseError) Unwrap() error { return e.err }

// blamesBase tells whether an error met while reading the captured copy is about
// what earlier backups hold of it.
func (b *backup) blamesBase(err error) bool {
	return b.form.Base != "" && errors.Is(err, holdfast.ErrDamaged)
}

// reach looks whether what the files captured so far refer to is there.
func (b *backup) reach(ctx context.Context) error {
	if b.form.Base == "" || b.unreadable {
		return nil
	}
	err := b.pending.Reach(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case b.blamesBase(err):
		return &baseError{base: b.form.Base, err: err}
	}
	return err
}

// afresh gives the full backup to be made in place of b, which rests on damage.
// known are the problems that were there before b was begun.
func (b *backup) afresh(bad *baseError, known []holdfast.Problem) *backup {
	again := &backup{
		run: b.run, repository: b.repository, sources: b.sources, name: b.name, exact: b.exact,
		trigger: b.trigger, memory: b.memory, full: b.full, pin: b.pin, note: b.note, estimate: b.estimate,
		problems: known, form: Form{Reason: "what " + string(bad.base) + " rests on is damaged"},
	}
	again.add(holdfast.Problem{
		Severity: holdfast.Warning, Object: string(bad.base),
		Message: "an earlier backup is damaged, so this one was made a full one: " + bad.err.Error(),
		Hint:    "`holdfast verify --all` finds every backup that cannot be restored any more",
	})
	return again
}
