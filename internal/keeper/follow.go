package keeper

import (
	"cmp"
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// Following says what follows a backup.
type Following struct {
	Place     string // where the repository is
	Replicate bool   // copy it, and what else they lack, into the replicas
	Prune     bool   // remove the backups that no rule of the retention keeps
}

// FollowingOf is what a configuration wants.
func FollowingOf(c *config.Config) Following {
	return Following{Place: wire.Location(c.Repository), Replicate: c.ReplicateAfterBackup && len(c.Replicas) > 0, Prune: c.Retention.Policy().Active()}
}

// Followed tells what followed a backup.
type Followed struct {
	// Replicas is nil if nothing was copied.
	Replicas *engine.ReplicateResult
	Pruned   []retention.Decision // all decisions
	// Problems are warnings: the backup stands whatever became of the rest.
	Problems []holdfast.Problem
	// Lacking tells that a replica lacks something that should be there, which is
	// what exit code 3 tells beside an incomplete backup.
	Lacking bool
}

// A Follower is what Follow needs of an engine.
type Follower interface {
	Replicate(context.Context, engine.ReplicateRequest) (*engine.ReplicateResult, error)
	Prune(context.Context) ([]retention.Decision, error)
}

// Follow does what follows a backup. An incomplete backup prunes as well: one file
// that is never readable must not fill the disk, and retention lets nothing good go
// for the sake of it. The error is for an interruption alone; what was done before
// it is told.
func Follow(ctx context.Context, e Follower, f Following) (Followed, error) {
	var out Followed
	if f.Replicate {
		out.replicate(ctx, e)
	}
	if f.Prune {
		if err := out.prune(ctx, e, f.Place); err != nil {
			return out, err
		}
	}
	return out, ctx.Err()
}

const hintReplicate = "`holdfast replicate` tries again"

// replicate brings the replicas up to date.
func (f *Followed) replicate(ctx context.Context, e Follower) {
	result, err := e.Replicate(ctx, engine.ReplicateRequest{})
	f.Replicas, f.Lacking = result, err != nil
	if result == nil {
		if err != nil && ctx.Err() == nil {
			f.Problems = append(f.Problems, holdfast.Problem{Severity: holdfast.Warning, Message: "the backup was made, but not copied: " + err.Error(), Hint: hintReplicate})
		}
		return
	}
	for _, r := range result.Replicas {
		for _, err := range r.Errs {
			for _, part := range holdfast.Parts(err) {
				f.Problems = append(f.Problems, holdfast.Problem{
					Severity: holdfast.Warning, Object: "replica " + r.Name,
					Message: "not everything was copied: " + part.Error(), Hint: cmp.Or(holdfast.HintOf(part), hintReplicate),
				})
			}
		}
	}
}

// prune removes what retention lets go.
func (f *Followed) prune(ctx context.Context, e Follower, place string) error {
	decisions, err := e.Prune(ctx)
	f.Pruned = decisions
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	f.Problems = append(f.Problems, holdfast.Problem{
		Severity: holdfast.Warning, Object: place,
		Message: "the backup was made, but old backups could not all be removed: " + err.Error(),
		Hint:    cmp.Or(holdfast.HintOf(err), "`holdfast prune` tries again"),
	})
	return nil
}
