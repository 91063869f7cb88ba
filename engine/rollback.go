package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Rollback undoes the last restore: from the replaced files if they were kept,
// else from the emergency backup. The state it replaces is treated with the same
// care as in a restore. ErrNotFound if there is nothing to undo.
func (e *Engine) Rollback(ctx context.Context) (*RestoreResult, error) {
	r := e.start(ctx, opRollback)
	result := &RestoreResult{}
	return r.replaceLive(ctx, result, func(ctx context.Context, before announce) error { return r.rollback(ctx, result, before) })
}

func (r *run) rollback(ctx context.Context, result *RestoreResult, before announce) error {
	last, err := r.e.loadLastRestore()
	if err != nil {
		return err
	}
	if err := undoable(last); err != nil {
		return err
	}
	if last.Parts != nil {
		return r.rollbackParts(ctx, last, result, before)
	}
	b, err := r.openEmergency(ctx, last)
	if err != nil {
		return err
	}
	if b != nil {
		defer b.Close()
	}
	var works []*work
	err = r.step(ctx, holdfast.StepChoose, func(ctx context.Context) (string, error) {
		for _, t := range last.Targets {
			w, err := r.undoWork(t, b)
			if err != nil {
				return "", err
			}
			works = append(works, w)
		}
		return fmt.Sprintf("the restore of %s at %s", last.Backup, last.At), r.e.checkOverlap()
	})
	if err != nil {
		return err
	}
	if err := r.refuseWorks(ctx, works); err != nil {
		return err
	}
	if err := before(ctx, Verb{Backup: last.Emergency, Sources: workedOn(works)}); err != nil {
		return err
	}
	emergency, err := r.emergency(ctx, works, false, result)
	if err != nil {
		return err
	}
	if b != nil && slices.ContainsFunc(works, func(w *work) bool { return w.fill != nil }) {
		if err := r.step(ctx, holdfast.StepValidate, func(ctx context.Context) (string, error) { return r.validate(ctx, b) }); err != nil {
			return err
		}
	}
	c := r.newCeremony(works, last.Emergency, emergency.name, false, result)
	emergency.keepWhatItLacks(c.journal)
	if err := c.carryOut(ctx); err != nil {
		return err
	}
	for _, w := range works {
		result.Restored = append(result.Restored, w.source.Name())
	}
	return nil
}

// undoable tells whether there is a restore to undo.
func undoable(last *lastRestore) error {
	switch {
	case last == nil:
		return &holdfast.Error{Op: opRollback, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no restore to undo"), Hint: "go back further with `holdfast restore NAME`"}
	case last.Undone != nil:
		return &holdfast.Error{Op: opRollback, Err: holdfast.Kindf(holdfast.ErrNotFound, "the last restore was undone already at %s", last.Undone), Hint: "go back further with `holdfast restore NAME`"}
	}
	return nil
}

// refuseWorks refuses before the emergency backup what would be refused at the
// swap anyway.
func (r *run) refuseWorks(ctx context.Context, works []*work) error {
	if r.letsGo() {
		return nil
	}
	found, _, err := handlesOf(ctx, works)
	if err != nil {
		return err
	}
	return r.refuseHeld(works, found)
}

// refuseHeld refuses works whose targets somebody holds open; found has who holds each.
func (r *run) refuseHeld(works []*work, found [][]Handle) error {
	for i, w := range works {
		if w.method != methodOnline && len(found[i]) > 0 {
			return inUse(w.source.Name(), w.path, found[i], r.hintInUse())
		}
	}
	return nil
}

// openEmergency opens the emergency backup of the last restore if one of its
// targets needs it.
func (r *run) openEmergency(ctx context.Context, last *lastRestore) (*repo.Backup, error) {
	needed := slices.ContainsFunc(last.Targets, func(t lastTarget) bool { return t.Existed && !t.asideKept() })
	if !needed {
		return nil, nil
	}
	if last.Emergency == "" {
		return nil, &holdfast.Error{Op: opRollback, Err: holdfast.Kindf(holdfast.ErrNotFound, "the last restore made no emergency backup, and the replaced files are gone"), Hint: "go back with `holdfast restore NAME`"}
	}
	r.backup = last.Emergency
	return r.e.o.Repository.Backup(ctx, last.Emergency)
}

// asideKept tells whether all that was replaced still lies where it was moved.
func (t lastTarget) asideKept() bool {
	return len(t.Back) > 0 && !slices.ContainsFunc(t.Back, func(m move) bool { return !exists(m.From) })
}

// undoWork plans the way back for one target of the last restore.
func (r *run) undoWork(t lastTarget, b *repo.Backup) (*work, error) {
	s := r.e.source(t.Source)
	if s == nil {
		return nil, &holdfast.Error{Op: opRollback, Object: t.Source, Err: holdfast.Kindf(holdfast.ErrRefused, "it is not configured here"), Hint: "configure it as it was during the restore"}
	}
	w, err := newWork(s, s.Target())
	if err != nil {
		return nil, err
	}
	if w.path != t.Path {
		return nil, &holdfast.Error{Op: opRollback, Object: t.Source, Err: holdfast.Kindf(holdfast.ErrRefused, "it lies at %s now, the restore was to %s", w.path, t.Path), Hint: "configure it as it was during the restore"}
	}
	w.acceptDamage = true // it is what was there before
	switch {
	case t.asideKept():
		w.back = t.Back
		if inside := t.Aside != "" && within(t.Aside, t.Path); inside {
			w.method = methodInPlace
		}
	case t.Existed:
		if !sourceIn(b, t.Source) {
			return nil, errGone(t.Source)
		}
		w.bytes = sizeOf(b, []string{t.Source})
		w.fill = func(ctx context.Context, dir string) error {
			return b.Extract(ctx, t.Source, dir, r.e.o.FS, r.progress(holdfast.StepStage, t.Source))
		}
		// Who had the database open during an online restore has it open still.
		if _, ok := s.(holdfast.OnlineRestorer); ok && t.Online && exists(w.path) {
			w.method = methodOnline
		}
	}
	return w, nil
}
