package operation

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// CompactRequest asks to free what deleted backups still hold.
type CompactRequest struct {
	DryRun bool `json:"dry_run,omitempty" doc:"Tell what would be done, and change nothing."`
}

// PlanCompact tells what compacting would rewrite and free.
func (o *Operations) PlanCompact(ctx context.Context) (report.Compact, error) {
	e, err := o.keeper.Engine(ctx)
	if err != nil {
		return report.Compact{}, err
	}
	plan, err := e.PlanCompact(ctx)
	if err != nil {
		return report.Compact{}, err
	}
	out := report.NewCompact(o.place(), true, plan.Rewrites, plan.Frees)
	out.WrittenBytes = plan.Writes
	return out, nil
}

// Compact begins to free what deleted backups still hold.
func (o *Operations) Compact(_ context.Context, by, key string, q CompactRequest) (job.Job, error) {
	return o.start(KindCompact, by, key, q, func(ctx context.Context, _ *job.Handle) (any, error) {
		if q.DryRun {
			return orNothing(o.PlanCompact(ctx))
		}
		out := report.NewCompact(o.place(), false, nil, nil)
		err := o.keeper.With(ctx, func(e *engine.Engine) error {
			done, err := e.Compact(ctx)
			part := report.NewCompact(o.place(), false, done.Rewritten, done.Freed)
			out.Rewritten, out.Freed = append(out.Rewritten, part.Rewritten...), append(out.Freed, part.Freed...)
			out.FreedBytes += part.FreedBytes
			if err != nil {
				return err
			}
			out.Hidden, err = report.HiddenIn(ctx, e.Repository())
			return err
		})
		if err != nil && len(out.Rewritten)+len(out.Freed) == 0 {
			return nil, err
		}
		return out, err
	})
}

// orNothing is a result, unless there is an error.
func orNothing[T any](result T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return result, nil
}

// ReplicateRequest asks to copy backups into replicas.
type ReplicateRequest struct {
	To    []string `json:"to,omitempty" maxItems:"100" doc:"Names of configured replicas; all of them without it."`
	Names []string `json:"names,omitempty" maxItems:"1000" doc:"Names of backups; without it all but emergency backups."`
}

// Replicate begins to copy backups into replicas. Backups are made meanwhile.
func (o *Operations) Replicate(_ context.Context, by, key string, q ReplicateRequest) (job.Job, error) {
	request := engine.ReplicateRequest{To: q.To}
	if len(q.Names) > 0 {
		names, err := backupNames("replicate", q.Names)
		if err != nil {
			return job.Job{}, err
		}
		for _, name := range names {
			request.Names = append(request.Names, string(name))
		}
	}
	if err := o.replicaNames("replicate", q.To); err != nil {
		return job.Job{}, err
	}
	return o.start(KindReplicate, by, key, q, func(ctx context.Context, h *job.Handle) (any, error) {
		result, err := o.keeper.Replicate(ctx, request)
		if result == nil {
			return nil, err
		}
		out := report.NewReplicate(o.place(), result, err == nil)
		if err != nil && ctx.Err() == nil && errors.Is(err, holdfast.ErrIncomplete) {
			h.SetIncomplete() // the result names what failed, and why
			return out, nil
		}
		return out, err
	})
}
