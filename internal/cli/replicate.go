package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
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

// replicateObject is the outcome of replicate.
type replicateObject struct {
	Type       string           `json:"type"` // replicate
	Repository string           `json:"repository"`
	OK         bool             `json:"ok"`
	Replicas   []replicatedItem `json:"replicas"`
}

// replicatedItem is what was done with one replica.
type replicatedItem struct {
	Name     string         `json:"name"`
	Location string         `json:"location"`
	OK       bool           `json:"ok"`
	Copied   []copiedItem   `json:"copied"`
	Present  int            `json:"present"`
	Left     []leftItem     `json:"left,omitempty"`
	Pruned   []decisionItem `json:"pruned,omitempty"`
	Notes    []string       `json:"notes,omitempty"`
	Errors   []errorDetail  `json:"errors,omitempty"`
}

// copiedItem is one backup that was copied.
type copiedItem struct {
	Backup      holdfast.BackupName `json:"backup"`
	Bytes       int64               `json:"bytes"`
	ReusedBytes int64               `json:"reused_bytes,omitempty"`
	Hidden      bool                `json:"hidden,omitempty"`
}

// leftItem is one backup that was not wanted.
type leftItem struct {
	Backup holdfast.BackupName `json:"backup"`
	Reason string              `json:"reason"`
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
		out := replicateObject{Type: "replicate", Repository: r.Location(), OK: err == nil, Replicas: newReplicatedItems(result)}
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

func newReplicatedItems(result *engine.ReplicateResult) []replicatedItem {
	items := make([]replicatedItem, 0, len(result.Replicas))
	for _, r := range result.Replicas {
		item := replicatedItem{Name: r.Name, Location: r.Location, OK: len(r.Errs) == 0, Copied: []copiedItem{}, Present: r.Present}
		for _, b := range r.Copied {
			item.Copied = append(item.Copied, copiedItem{Backup: b.Backup.Name, Bytes: b.Bytes, ReusedBytes: b.Reused, Hidden: b.Hidden})
		}
		for _, l := range r.Left {
			item.Left = append(item.Left, leftItem{Backup: l.Backup, Reason: l.Reason})
		}
		for _, d := range r.Pruned {
			item.Pruned = append(item.Pruned, newDecisionItem(d))
		}
		for _, n := range r.Notes {
			item.Notes = append(item.Notes, n.Message)
		}
		for _, err := range r.Errs {
			for _, part := range holdfast.Parts(err) {
				op, object := opAndObject(part)
				item.Errors = append(item.Errors, errorDetail{Op: op, Object: object, Message: errorText(part), Hint: hintOf(part)})
			}
		}
		items = append(items, item)
	}
	return items
}

// problems are what went wrong with a replica.
func (r replicatedItem) problems() []holdfast.Problem {
	var list []holdfast.Problem
	for _, e := range r.Errors {
		list = append(list, holdfast.Problem{Severity: holdfast.Warning, Object: "replica " + r.Name, Message: e.Message, Hint: e.Hint})
	}
	return list
}

// printReplicated tells a person what was done with one replica.
func printReplicated(u *ui, r replicatedItem) {
	for _, p := range r.problems() {
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
