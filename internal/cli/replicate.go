package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

type replicateCmd struct {
	Names []string `arg:"" optional:"" name:"name" help:"Backups to copy, or latest (default: all that are missing, save emergency backups)."`
	To    []string `sep:"none" value:"NAME|URL" help:"Copy only to this replica: a configured name, a directory or s3://…; repeatable."`
}

func (replicateCmd) about() about {
	return about{
		text: `Copies the backups that are missing into the replicas, each after those that it
needs, every byte compared on its way. What the retention of a replica would
remove at once is left out; then that retention is applied. A copy that was cut
goes on where it stopped. One replica, or one backup, that fails does not keep
the others from being copied: each is named, and the exit status is 3.

holdfast backup does the same for the new backup, unless
replicate_after_backup is false. Emergency backups stay where they were made,
unless they are named.`,
		examples: []example{
			{"holdfast replicate", "bring every replica up to date"},
			{"holdfast replicate --to offsite monday", "one backup to one replica"},
			{"holdfast replicate --to s3://bucket/prefix", "to a place that is not configured"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitRefused},
	}
}

// Run copies.
func (c *replicateCmd) Run(ctx context.Context, a *app) error {
	if err := a.useReplicas(c.To); err != nil {
		return err
	}
	return a.withEngine(ctx, func(e *engine.Engine, r *repo.Repository) error {
		result, err := e.Replicate(ctx, engine.ReplicateRequest{Names: c.Names})
		if result == nil {
			return err
		}
		out := report.NewReplicate(r.Location(), result, err == nil)
		a.ui.tell(out, func() {
			for _, item := range out.Replicas {
				printReplicated(a.ui, item)
			}
		})
		if err != nil {
			return &ending{holdfast.ExitIncomplete}
		}
		return nil
	})
}

// printReplicated tells a person what was done with one replica.
func printReplicated(u *ui, r report.Replicated) {
	for _, p := range r.Problems() {
		p.Severity = holdfast.Incomplete
		u.warn(p)
	}
	for _, note := range r.Notes {
		u.warn(holdfast.Problem{Severity: holdfast.Warning, Object: "replica " + r.Name, Message: note})
	}
	var bytes int64
	for _, b := range r.Copied {
		bytes += b.Bytes
	}
	name := u.outPaint.bold(clean(r.Name))
	switch {
	case len(r.Copied) > 0:
		u.print("%s %s to %s (%s)\n", u.outPaint.green("Copied"), plural(len(r.Copied), "backup", "backups"), name, size(bytes))
	case r.OK:
		u.print("%s has all %s\n", name, plural(r.Present, "backup", "backups"))
	default:
		u.print("%s nothing to %s\n", u.outPaint.yellow("Copied"), name)
	}
	for _, l := range r.Left {
		u.print("  left out %s: %s\n", clean(l.Backup.String()), clean(l.Reason))
	}
	for _, d := range r.Pruned {
		u.print("  removed %s there: %s\n", clean(d.Name.String()), clean(d.Reason))
	}
}
