package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
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

// Run compacts, or tells what that would do.
func (c *compactCmd) Run(ctx context.Context, a *app) error {
	return a.withEngine(ctx, func(e *engine.Engine, r *repo.Repository) error {
		if c.DryRun {
			plan, err := e.PlanCompact(ctx)
			if err != nil {
				return err
			}
			out := report.NewCompact(r.Location(), true, plan.Rewrites, plan.Frees)
			out.WrittenBytes = plan.Writes
			a.ui.tell(out, func() { c.print(a.ui, out) })
			return nil
		}
		done, err := e.Compact(ctx)
		out := report.NewCompact(r.Location(), false, done.Rewritten, done.Freed)
		if err != nil && len(out.Rewritten)+len(out.Freed) == 0 {
			return err
		}
		var hiddenErr error
		out.Hidden, hiddenErr = report.HiddenIn(ctx, r)
		a.ui.tell(out, func() { c.print(a.ui, out) })
		if err == nil {
			err = hiddenErr
		}
		return err
	})
}

// print shows what was, or would be, rewritten and freed.
func (c *compactCmd) print(u *ui, out report.Compact) {
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
