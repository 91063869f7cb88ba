package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// PlanPrune decides which backups may go.
func (e *Engine) PlanPrune(ctx context.Context) ([]retention.Decision, error) {
	r, err := e.repository()
	if err != nil {
		return nil, err
	}
	infos, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	return retention.Plan(candidates(infos), e.o.Settings.Retention, e.o.Now()), nil
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
		c := retention.Candidate{Name: i.Name, Pinned: i.Pinned, Proven: proven, NeededBy: neededBy[i.Name], Damaged: true}
		if i.Metadata != nil {
			c.CreatedAt, c.Trigger, c.StoredBytes = i.Metadata.CreatedAt.Time, i.Metadata.Trigger, i.Metadata.StoredBytes
			for _, source := range i.Metadata.Sources {
				c.Sources = append(c.Sources, source.Name)
			}
			c.Damaged = i.Err != nil || lacking(i.Metadata) || provenBad(i)
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

// provenBad tells whether the newest proof of a backup failed: such a backup
// must not count as the good one that lets older ones go.
func provenBad(i repo.Info) bool {
	return len(i.Proofs) > 0 && !i.Proofs[len(i.Proofs)-1].OK
}

// Prune removes what PlanPrune decides, and tells the decisions. A backup that
// cannot be removed is a warning in the log and an ErrIncomplete.
func (e *Engine) Prune(ctx context.Context) ([]retention.Decision, error) {
	r := e.start("prune")
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
		if done.Backup != "" {
			r.deleted(done)
		}
		if err != nil {
			if ctx.Err() != nil {
				stays(plan[i:], "interrupted before it was removed")
				return "", context.Cause(ctx)
			}
			stays(plan[i:i+1], "it could not be removed")
			r.log.Warn("a backup could not be removed", keyBackup, d.Name, keyError, err)
			failed = append(failed, &holdfast.Error{Op: "remove", Object: string(d.Name), Err: err})
			continue
		}
		removed++
		r.log.Info("backup removed", keyBackup, d.Name, "reason", d.Reason)
	}
	message := fmt.Sprintf("%d removed, %d kept", removed, len(plan)-removed)
	if len(failed) > 0 {
		return message, fmt.Errorf("%w: %d backups could not be removed: %w", holdfast.ErrIncomplete, len(failed), errors.Join(failed...))
	}
	return message, nil
}

// stays marks what a plan wanted to remove as still there, and says why.
func stays(plan []retention.Decision, why string) {
	for i := range plan {
		if plan[i].Remove {
			plan[i].Remove = false
			plan[i].Reason += ", but " + why
		}
	}
}
