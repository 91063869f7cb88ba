package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

type compactCmd struct {
	DryRun bool `help:"Show what would be rewritten and freed, and change nothing."`
}

func (compactCmd) about() about {
	return about{
		text: `A deleted backup keeps its space as long as later backups refer to parts of it;
"holdfast list" shows how much. This rewrites those backups, so that each holds
what it needs, and frees the space now. Their content does not change, and they
can be read all the while. What is written needs room first. Encrypted backups
need the key.`,
		examples: []example{
			{"holdfast compact --dry-run", "look before: it may write nearly as much as it frees"},
			{"holdfast compact", "free what deleted backups still hold"},
		},
		exits: []int{holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// compactObject is the outcome of compact.
type compactObject struct {
	Type         string        `json:"type"` // compact
	Repository   string        `json:"repository"`
	DryRun       bool          `json:"dry_run"`
	Rewritten    []rewriteItem `json:"rewritten"`
	Freed        []freedItem   `json:"freed"`
	FreedBytes   int64         `json:"freed_bytes"`
	WrittenBytes int64         `json:"written_bytes,omitempty"`
	Hidden       []hiddenItem  `json:"hidden,omitempty"`
}

// rewriteItem is a backup that takes over what it needs of deleted ones.
type rewriteItem struct {
	Backup      holdfast.BackupName   `json:"backup"`
	From        []holdfast.BackupName `json:"from"`
	BytesBefore int64                 `json:"bytes_before"`
	BytesAfter  int64                 `json:"bytes_after"`
}

// freedItem is a deleted backup whose space is free.
type freedItem struct {
	Name  holdfast.BackupName `json:"name"`
	Bytes int64               `json:"bytes"`
}

func (out *compactObject) add(rewrites []repo.Rewrite, freed []repo.Freed) {
	for _, w := range rewrites {
		out.Rewritten = append(out.Rewritten, rewriteItem{Backup: w.Backup, From: w.From, BytesBefore: w.Before, BytesAfter: w.After})
	}
	for _, f := range freed {
		out.Freed = append(out.Freed, freedItem{f.Name, f.Bytes})
		out.FreedBytes += f.Bytes
	}
}

// Run compacts, or tells what that would do.
func (c *compactCmd) Run(ctx context.Context, a *app) error {
	return a.withEngine(ctx, func(e *engine.Engine, r *repo.Repository) error {
		out := compactObject{Type: "compact", Repository: r.Location(), DryRun: c.DryRun, Rewritten: []rewriteItem{}, Freed: []freedItem{}}
		if c.DryRun {
			plan, err := e.PlanCompact(ctx)
			if err != nil {
				return err
			}
			out.add(plan.Rewrites, plan.Frees)
			out.WrittenBytes = plan.Writes
			a.ui.tell(out, func() { c.print(a.ui, out) })
			return nil
		}
		done, err := e.Compact(ctx)
		out.add(done.Rewritten, done.Freed)
		if err != nil && len(out.Rewritten)+len(out.Freed) == 0 {
			return err
		}
		var hiddenErr error
		out.Hidden, hiddenErr = hiddenItems(ctx, r)
		a.ui.tell(out, func() { c.print(a.ui, out) })
		if err == nil {
			err = hiddenErr
		}
		return err
	})
}

// print shows what was, or would be, rewritten and freed.
func (c *compactCmd) print(u *ui, out compactObject) {
	if len(out.Rewritten)+len(out.Freed) == 0 && len(out.Hidden) == 0 {
		u.print("Nothing to compact: no deleted backup holds space.\n")
		return
	}
	rewritten, freed := "Rewritten", "Freed"
	if out.DryRun {
		rewritten, freed = "Would rewrite", "Would free"
	}
	t := table{head: []string{"BACKUP", "TAKES OVER FROM", "STORED", "THEN"}, right: map[int]bool{2: true, 3: true}}
	for _, w := range out.Rewritten {
		t.add(w.Backup.String(), nameList(w.From), size(w.BytesBefore), size(w.BytesAfter))
	}
	if len(out.Rewritten) > 0 {
		u.print("%s:\n%s", rewritten, t.render(u.outPaint))
	}
	for _, f := range out.Freed {
		u.print("%s %s: %s\n", freed, clean(f.Name.String()), size(f.Bytes))
	}
	if out.DryRun && out.WrittenBytes > 0 {
		u.print("About %s are written before that; %s are freed.\n", size(out.WrittenBytes), size(out.FreedBytes))
	}
	u.print("%s", hiddenText(out.Hidden))
}
