package operation

import (
	"context"
	"maps"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// RestoreRequest asks to bring a backup back in place. That it can be restored nowhere
// else is on purpose: no path of a request reaches the file system.
type RestoreRequest struct {
	Name        string   `json:"name" minLength:"1" maxLength:"180" doc:"Name of the backup, or latest: with only, the newest that has all of it."`
	Only        []string `json:"only,omitempty" maxItems:"1000" doc:"Only these sources, or memory."`
	NoEmergency bool     `json:"no_emergency,omitempty" doc:"Do not back up the present state first."`
	Force       bool     `json:"force,omitempty" doc:"Go on although processes have the data open, or although it was damaged when it was captured."`
	Online      bool     `json:"online,omitempty" doc:"SQLite: write through SQLite's own transaction, so that open connections go on."`

	Parts        map[string][]holdfast.Part `json:"parts,omitempty" maxProperties:"100" doc:"Only parts of sources, by the name of the source, or by its kind where the backup has one of that kind: tables, collections, rows, records."`
	AcceptLosses bool                       `json:"accept_losses,omitempty" doc:"Go on although the store cannot keep all of what comes."`
	KeepReplaced bool                       `json:"keep_replaced,omitempty" doc:"Keep what is replaced in a running store, under another name."`
}

// check gives the request as the engine takes it.
func (q RestoreRequest) check() (engine.RestoreRequest, error) {
	if q.Name == "" {
		return engine.RestoreRequest{}, wrong("restore", "a name, or latest", "it takes the name of a backup")
	}
	name, err := backupName(q.Name)
	if err != nil {
		return engine.RestoreRequest{}, err
	}
	return engine.RestoreRequest{
		Name: name, Only: q.Only, NoEmergency: q.NoEmergency, Force: q.Force, Online: q.Online,
		Parts: q.Parts, AcceptLosses: q.AcceptLosses, KeepReplaced: q.KeepReplaced,
	}, sourceNames("restore", append(slices.Sorted(maps.Keys(q.Parts)), q.Only...))
}

// PlanRestore tells what a restore would change. A plan that does not fit comes beside
// the error.
func (o *Operations) PlanRestore(ctx context.Context, q RestoreRequest) (report.RestorePlan, error) {
	request, err := q.check()
	if err != nil {
		return report.RestorePlan{}, err
	}
	e, err := o.keeper.Engine(ctx)
	if err != nil {
		return report.RestorePlan{}, err
	}
	plan, err := e.PlanRestore(ctx, request)
	if plan == nil {
		return report.RestorePlan{}, err
	}
	return report.NewRestorePlan(plan), err
}

// Restore begins to restore a backup in place. ErrLocked if another restore is at
// work.
func (o *Operations) Restore(_ context.Context, by, key string, q RestoreRequest) (job.Job, error) {
	request, err := q.check()
	if err != nil {
		return job.Job{}, err
	}
	return o.start(KindRestore, by, key, q, func(ctx context.Context, h *job.Handle) (any, error) {
		result, err := o.keeper.Restore(naming(ctx, h, KindRestore), request)
		return restored(h, result, err, func(r *engine.RestoreResult) report.Restore { return report.NewRestore(r, "") })
	})
}

// RollbackRequest asks to undo the last restore.
type RollbackRequest struct{}

// Rollback begins to undo the last restore. ErrLocked if another restore is at work.
func (o *Operations) Rollback(_ context.Context, by, key string, q RollbackRequest) (job.Job, error) {
	return o.start(KindRollback, by, key, q, func(ctx context.Context, h *job.Handle) (any, error) {
		result, err := o.keeper.Rollback(naming(ctx, h, KindRollback))
		return restored(h, result, err, report.NewRollback)
	})
}

// restored tells how a restore or rollback ended. What a restore that failed did is
// told, too, if it had begun.
func restored(h *job.Handle, result *engine.RestoreResult, err error, tell func(*engine.RestoreResult) report.Restore) (any, error) {
	switch {
	case result == nil:
		return nil, err
	case err != nil:
		return tell(result), report.RestoreError(result, err)
	case serious(result.Problems):
		h.SetIncomplete()
	}
	return tell(result), nil
}

// RecoverRequest asks to settle a restore that was cut.
type RecoverRequest struct{}

// Recover begins to finish or undo a restore that was cut.
func (o *Operations) Recover(_ context.Context, by, key string, q RecoverRequest) (job.Job, error) {
	return o.start(KindRecover, by, key, q, func(ctx context.Context, _ *job.Handle) (any, error) {
		result, err := o.keeper.Recover(ctx)
		if result == nil {
			return nil, err
		}
		return report.NewRecover(result), err
	})
}
