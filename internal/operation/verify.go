package operation

import (
	"cmp"
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// VerifyRequest asks to read every byte of a backup again.
type VerifyRequest struct {
	Name    string `json:"name,omitempty" maxLength:"180" doc:"Name of the backup, or latest (the default)."`
	All     bool   `json:"all,omitempty" doc:"Verify every backup, instead of one."`
	Full    bool   `json:"full,omitempty" doc:"The deepest check of each source; slower."`
	Replica string `json:"replica,omitempty" maxLength:"200" doc:"Verify the copies in this replica instead: a configured name."`
}

// Verify begins to verify backups. Damage makes the job fail, beside the result that
// names it.
func (o *Operations) Verify(_ context.Context, by, key string, q VerifyRequest) (job.Job, error) {
	if q.All && q.Name != "" {
		return job.Job{}, wrong("verify", "leave out one of the two", "a name and all exclude each other")
	}
	name, err := backupName(q.Name)
	if err != nil {
		return job.Job{}, err
	}
	if q.Replica != "" {
		if err := o.replicaNames("verify", []string{q.Replica}); err != nil {
			return job.Job{}, err
		}
	}
	return o.start(KindVerify, by, key, q, func(ctx context.Context, h *job.Handle) (any, error) {
		e, err := o.readingFrom(ctx, q.Replica)
		if err != nil {
			return nil, err
		}
		names := []string{name}
		if q.All {
			names, err = allNames(ctx, e)
		} else {
			ctx = naming(ctx, h, KindVerify)
		}
		if err != nil {
			return nil, err
		}
		defer o.keeper.Refresh(ctx) // what does not read back saves nothing
		return o.verifyEach(ctx, e, q, names)
	})
}

// readingFrom gives an engine over the repository, or over a replica.
func (o *Operations) readingFrom(ctx context.Context, replica string) (*engine.Engine, error) {
	e, err := o.keeper.Engine(ctx)
	if err != nil || replica == "" {
		return e, err
	}
	return e.OnReplica(ctx, replica)
}

// verifyEach verifies backups, all of them even if one is damaged.
func (o *Operations) verifyEach(ctx context.Context, e *engine.Engine, q VerifyRequest, names []string) (any, error) {
	out := report.NewVerify(o.place())
	var worst error
	for _, name := range names {
		result, err := e.Verify(ctx, engine.VerifyRequest{Name: name, Full: q.Full})
		switch {
		case result != nil:
		case ctx.Err() != nil && len(out.Results) > 0: // what was found up to now is told
			return out, err
		case ctx.Err() != nil, !q.All:
			return nil, err
		case errors.Is(err, holdfast.ErrNotFound):
			continue // it was deleted meanwhile
		}
		item := report.NewVerifyItem(name, result, err)
		item.From = cmp.Or(item.From, q.Replica)
		out.Add(item)
		worst = report.Worse(worst, err)
		o.book.Changed()
	}
	return out, worst
}

// allNames names every backup.
func allNames(ctx context.Context, e *engine.Engine) ([]string, error) {
	r, err := repository(e)
	if err != nil {
		return nil, err
	}
	return report.Everything(ctx, r)
}
