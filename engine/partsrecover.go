package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// ErrUnsettled is matched by why Recover could not settle a restore by requests: its store
// does not answer, or is not at hand. Only restores have to wait for it.
var ErrUnsettled = errors.New("a restore is not settled")

// An unsettledError tells of a restore by requests that was cut and cannot be settled,
// since its store does not answer or is not at hand. What does not replace anything goes
// on beside it.
type unsettledError struct{ err error }

func (u *unsettledError) Error() string { return u.err.Error() }
func (u *unsettledError) Unwrap() error { return u.err }

// Is matches ErrUnsettled.
func (u *unsettledError) Is(target error) bool { return target == ErrUnsettled }

// settleWait bounds how long a store is waited for that is to settle something. Once it has
// answered it may take its time.
const settleWait = 30 * time.Second

// replaces tells whether the verb replaces live data, which nothing that is half done
// may be beside.
func (r *run) replaces() bool { return r.op == opRestore || r.op == opRollback }

// recoverParts settles a restore by requests that was cut.
func (r *run) recoverParts(ctx context.Context) (*RecoverResult, error) {
	j, err := r.e.loadPartsJournal()
	if err != nil {
		return nil, err
	}
	if j == nil {
		return &RecoverResult{}, nil
	}
	result := &RecoverResult{Found: true}
	var told RestoreResult
	found := j.Phase
	err = r.step(ctx, holdfast.StepRollback, func(ctx context.Context) (string, error) {
		result.Outcome, err = r.settleParts(ctx, j, &told)
		result.Detail = fmt.Sprintf("the %s of %s into %s that began at %s was cut in phase %s: %s", j.Op, j.what(), j.Location, j.Begun, found, outcomeText(result.Outcome))
		return result.Detail, err
	})
	result.Problems = told.Problems
	if err != nil {
		return result, err
	}
	r.log.Warn("a restore by requests that was cut has been settled", "outcome", result.Outcome, "phase", found, keyBackup, j.Backup)
	return result, nil
}

// what names what was being restored.
func (j *partsJournal) what() string {
	switch {
	case j.Import != "":
		return j.Import
	case j.Backup != "":
		return string(j.Backup)
	}
	return "the replaced state"
}

// settleParts brings a journal to its end: the store itself knows where it is.
func (r *run) settleParts(ctx context.Context, j *partsJournal, told *RestoreResult) (outcome string, err error) {
	if j.Phase == partsChanged {
		return outcomeFinished, r.finishParts(ctx, j, told)
	}
	store := r.e.storeAt(j.Kind, j.Location)
	if store == nil {
		return outcomeUndone, r.unsettled(j, &holdfast.Error{
			Op: "settle the restore into", Object: j.Location, Err: fmt.Errorf("no source is configured there"),
			Hint: "run `holdfast recover --into " + j.Location + "`",
		})
	}
	if err := answers(ctx, store.Narrow([]holdfast.Part{{}})); err != nil { // also if nothing is there yet
		return outcomeUndone, r.unsettled(j, err)
	}
	settled, err := store.Settle(ctx, j.Note)
	if err != nil {
		return outcomeUndone, r.unsettled(j, err)
	}
	for _, p := range named(j.Store, settled.Result.Problems) {
		told.Problems = append(told.Problems, r.problem(p))
	}
	if !settled.Finished {
		return outcomeUndone, r.e.removePartsJournal()
	}
	j.tell(settled.Result)
	j.Phase = partsChanged
	if err := r.e.savePartsJournal(j); err != nil {
		return outcomeFinished, err
	}
	return outcomeFinished, r.finishParts(ctx, j, told)
}

// answers asks a store for a sign of life.
func answers(ctx context.Context, store holdfast.Source) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleWait, fmt.Errorf("no answer within %s", settleWait))
	defer cancel()
	_, err := store.Inspect(ctx, holdfast.InspectOptions{})
	return err
}

// unsettled says that a journal stays, and what that means.
func (r *run) unsettled(j *partsJournal, err error) error {
	hint := holdfast.HintOf(err)
	if hint == "" {
		hint = "nothing is lost: as soon as " + j.Location + " answers, run `holdfast recover`"
	}
	kept := &holdfast.Error{Op: "recover", Object: filepath.Join(r.e.o.StateDir, partsJournalFile), Err: fmt.Errorf("the %s of %s into %s was cut and cannot be settled: %w", j.Op, j.what(), j.Location, err), Hint: hint}
	if r.replaces() {
		return &holdfast.Error{Op: r.op, Err: holdfast.Kindf(holdfast.ErrRefused, "the %s of %s into %s was cut before and must be settled first: %v", j.Op, j.what(), j.Location, err), Hint: hint}
	}
	return &unsettledError{kept}
}
