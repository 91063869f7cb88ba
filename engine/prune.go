package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// PlanPrune decides which backups may go. While pruning is on hold none may;
// the decisions say which would otherwise.
func (e *Engine) PlanPrune(ctx context.Context) ([]retention.Decision, error) {
	r, err := e.repository()
	if err != nil {
		return nil, err
	}
	return planPrune(ctx, r, e.o.Settings.Retention, e.o.Now())
}

// planPrune decides which backups of a repository may go.
func planPrune(ctx context.Context, r *repo.Repository, p retention.Policy, now time.Time) ([]retention.Decision, error) {
	infos, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	why, err := held(ctx, r)
	if err != nil {
		return nil, err
	}
	plan := retention.Plan(candidates(infos), p, now)
	if why != "" {
		retention.OnHold(plan, why)
	}
	return plan, nil
}

// candidates shows backups as retention sees them.
func candidates(infos []repo.Info) []retention.Candidate {
	neededBy := map[holdfast.BackupName][]holdfast.BackupName{}
	for _, i := range infos {
		if i.Metadata == nil {
			continue
		}
		for _, n := range i.Metadata.Needs {
			neededBy[n] = append(neededBy[n], i.Name)
		}
	}
	out := make([]retention.Candidate, 0, len(infos))
	for _, i := range infos {
		_, proven := i.Proven()
		c := retention.Candidate{Name: i.Name, Pinned: i.Pinned, Proven: proven, NeededBy: neededBy[i.Name], Damaged: true, Unreadable: i.Metadata == nil}
		if i.Metadata != nil {
			c.CreatedAt, c.Trigger, c.StoredBytes = i.Metadata.CreatedAt.Time, i.Metadata.Trigger, i.Metadata.StoredBytes
			for _, source := range i.Metadata.Sources {
				c.Sources = append(c.Sources, source.Name)
			}
			c.Damaged = i.Err != nil || lacking(i.Metadata) || i.Disproven()
		}
		out = append(out, c)
	}
	return out
}

// lacking tells whether a backup is less than its sources were: damaged when
// they were captured, or without a part that could not be read. It never makes
// an older whole one removable.
func lacking(m *holdfast.Metadata) bool {
	return slices.ContainsFunc(m.Problems, func(p holdfast.Problem) bool { return p.Severity != holdfast.Warning })
}

// Prune removes what PlanPrune decides, and tells the decisions. A backup that
// cannot be removed is a warning in the log and an ErrIncomplete.
func (e *Engine) Prune(ctx context.Context) ([]retention.Decision, error) {
	r := e.start(ctx, "prune")
	var decisions []retention.Decision
	err := r.locked(ctx, func(ctx context.Context) error {
		return r.step(ctx, holdfast.StepPrune, func(ctx context.Context) (string, error) {
			plan, err := e.PlanPrune(ctx)
			if err != nil {
				return "", err
			}
			decisions = plan
			return r.prune(ctx, plan)
		})
	})
	return decisions, err
}

// prune executes a plan. What cannot be removed stays and is told: too much
// is safe. The plan then says what has been done: what is still there is no
// longer marked as removed.
func (r *run) prune(ctx context.Context, plan []retention.Decision) (string, error) {
	removed := 0
	var failed []error
	for i, d := range plan {
		if !d.Remove {
			continue
		}
		if ctx.Err() != nil {
			stays(plan[i:], "interrupted before it was removed")
			return "", context.Cause(ctx)
		}
		done, err := r.e.o.Repository.Delete(ctx, d.Name)
		gone := done.Backup != ""
		if gone {
			removed++
			r.deleted(done)
			settle(plan, i, done)
		}
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			stays(plan[i+btoi(gone):], "interrupted before it was removed")
			return "", context.Cause(ctx)
		case !gone:
			stays(plan[i:i+1], "it could not be removed")
		}
		r.log.Warn("a backup could not be removed, or its space not be freed", keyBackup, d.Name, keyError, err)
		failed = append(failed, &holdfast.Error{Op: "remove", Object: string(d.Name), Err: err})
	}
	message := fmt.Sprintf("%d removed, %d kept", removed, len(plan)-removed)
	if len(failed) > 0 {
		return message, fmt.Errorf("%w: %s could not be removed: %w", holdfast.ErrIncomplete, count(len(failed), "backup", "backups"), errors.Join(failed...))
	}
	return message, nil
}

// settle writes into a plan what became of the space of a backup that went.
// What was hidden before the plan, and is free now, counts with it.
func settle(plan []retention.Decision, i int, done repo.Deletion) {
	plan[i].Hides, plan[i].Frees = done.Hidden, 0
	for _, f := range done.Freed {
		at := slices.IndexFunc(plan, func(d retention.Decision) bool { return d.Remove && d.Name == f.Name })
		if at < 0 {
			at = i
		}
		plan[at].Hides = at == i && done.Hidden
		plan[at].Frees += f.Bytes
	}
}

// stays marks what a plan wanted to remove as still there, and says why.
func stays(plan []retention.Decision, why string) {
	for i := range plan {
		if d := &plan[i]; d.Remove {
			d.Remove, d.Hides, d.Frees = false, false, 0
			d.Reason += ", but " + why
		}
	}
}
