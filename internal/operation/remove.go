package operation

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// PruneRequest asks to remove the backups that no rule of the retention keeps.
type PruneRequest struct {
	DryRun  bool `json:"dry_run,omitempty" doc:"Tell what would go, and why, and remove nothing."`
	Confirm bool `json:"confirm,omitempty" doc:"Say that the newest backups are right although they are much smaller: ends a hold on pruning."`
}

// PlanPrune tells what pruning would remove, and why.
func (o *Operations) PlanPrune(ctx context.Context) (report.Prune, error) {
	out := report.NewPrune(o.place(), o.config.Retention, true)
	e, err := o.keeper.Engine(ctx)
	if err != nil {
		return out, err
	}
	decisions, err := e.PlanPrune(ctx)
	if err != nil {
		return out, err
	}
	_, err = aroundPrune(ctx, e, &out, decisions)
	return out, err
}

// Prune begins to remove backups.
func (o *Operations) Prune(_ context.Context, by, key string, q PruneRequest) (job.Job, error) {
	if q.DryRun && q.Confirm {
		return job.Job{}, wrong("prune", "leave out one of the two", "dry_run and confirm exclude each other")
	}
	return o.start(KindPrune, by, key, q, func(ctx context.Context, h *job.Handle) (any, error) {
		if q.DryRun {
			return orNothing(o.PlanPrune(ctx))
		}
		var out report.Prune
		var told bool
		err := o.keeper.With(ctx, func(e *engine.Engine) (err error) {
			confirmed := out.Confirmed
			out, told = report.NewPrune(o.place(), o.config.Retention, false), false
			if out.Confirmed = confirmed; q.Confirm && !confirmed {
				if out.Confirmed, err = e.ConfirmSmaller(ctx); err != nil {
					return err
				}
			}
			decisions, err := e.Prune(ctx)
			if err != nil && len(decisions) == 0 {
				return err
			}
			told = true
			held, aroundErr := aroundPrune(ctx, e, &out, decisions)
			if held {
				h.SetIncomplete()
			}
			return errors.Join(err, aroundErr)
		})
		if !told {
			return nil, err
		}
		return out, err
	})
}

// aroundPrune tells of decisions, and of what is worth knowing beside them.
func aroundPrune(ctx context.Context, e *engine.Engine, out *report.Prune, decisions []retention.Decision) (held bool, err error) {
	held = out.Add(decisions)
	r, err := repository(e)
	if err != nil {
		return held, err
	}
	var hiddenErr error
	out.Hold, err = report.HoldOn(ctx, r)
	out.Hidden, hiddenErr = report.HiddenIn(ctx, r)
	return held, errors.Join(err, hiddenErr)
}

// ConfirmRequest says that the newest backups are right although they are much
// smaller.
type ConfirmRequest struct{}

// Confirm begins to end a hold on pruning. Its result is that of a prune which only
// plans: it tells whether there was a hold, and what the next prune removes.
func (o *Operations) Confirm(_ context.Context, by, key string, q ConfirmRequest) (job.Job, error) {
	return o.start(KindConfirm, by, key, q, func(ctx context.Context, h *job.Handle) (any, error) {
		var ended bool
		err := o.keeper.With(ctx, func(e *engine.Engine) (err error) {
			ended, err = e.ConfirmSmaller(ctx)
			return err
		})
		if err != nil {
			return nil, err
		}
		h.SetOutcome("pruning was not on hold")
		if ended {
			h.SetOutcome("the hold on pruning has ended")
		}
		out, err := o.PlanPrune(ctx)
		out.Confirmed = ended
		return out, err
	})
}

// DeleteRequest asks to delete backups for good.
type DeleteRequest struct {
	Names []string `json:"names" minItems:"1" maxItems:"1000" doc:"Names of the backups. If one of them is wrong or pinned, nothing is deleted."`
	Grace string   `json:"grace,omitempty" maxLength:"20" example:"10s" doc:"How long the job waits before it deletes, a duration up to 60s: to cancel it until then takes the deletion back. Without it nothing waits."`
}

// Delete begins to delete backups, after all of them were found.
func (o *Operations) Delete(_ context.Context, by, key string, q DeleteRequest) (job.Job, error) {
	names, err := backupNames("delete", q.Names)
	if err != nil {
		return job.Job{}, err
	}
	grace, err := q.grace()
	if err != nil {
		return job.Job{}, err
	}
	until := o.now().Add(grace)
	return o.start(KindDelete, by, key, q, func(ctx context.Context, h *job.Handle) (any, error) {
		if len(names) == 1 {
			h.SetBackup(names[0])
		}
		if grace > 0 {
			if err := o.refuseEarly(ctx, names); err != nil {
				return nil, err
			}
			if err := waitUntil(ctx, KindDelete, grace, until.Sub(o.now())); err != nil {
				h.SetOutcome(takenBack)
				return nil, err
			}
		}
		var gone []repo.Deletion
		var hidden []report.Hidden
		left := names
		err := o.keeper.With(ctx, func(e *engine.Engine) error {
			if len(gone) == 0 {
				if err := deletable(ctx, e, names); err != nil {
					return err
				}
			}
			deleted, err := e.Delete(ctx, left...)
			gone, left = append(gone, deleted...), left[len(deleted):]
			if err != nil {
				return err
			}
			hidden, err = report.HiddenIn(ctx, e.Repository())
			return err
		})
		if len(gone) == 0 {
			return nil, err
		}
		out := report.NewDelete(o.place(), gone)
		out.Hidden = hidden
		return out, err
	})
}

// deletable looks every backup up before anything is deleted.
func deletable(ctx context.Context, e *engine.Engine, names []holdfast.BackupName) error {
	infos, err := find(ctx, e, names)
	if err != nil {
		return err
	}
	for _, info := range infos {
		if info.Pinned {
			return &holdfast.Error{Op: "delete", Object: string(info.Name), Err: holdfast.Kindf(holdfast.ErrRefused, "it is pinned"), Hint: "unpin it first; nothing was deleted"}
		}
	}
	return nil
}

// Pin keeps a backup from being pruned, or no longer.
func (o *Operations) Pin(ctx context.Context, name string, pinned bool) (report.Pin, error) {
	name, err := backupName(name)
	if err != nil {
		return report.Pin{}, err
	}
	var out report.Pin
	err = o.keeper.With(ctx, func(e *engine.Engine) error {
		infos, err := find(ctx, e, []holdfast.BackupName{holdfast.BackupName(name)})
		if err != nil {
			return err
		}
		out = report.NewPin(infos[0].Name, pinned)
		return e.SetPinned(ctx, infos[0].Name, pinned)
	})
	o.book.Changed()
	return out, err
}
