package cli

import (
	"cmp"
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

type rollbackCmd struct {
	DryRun bool   `help:"Show what would change, and change nothing."`
	Into   string `value:"URL" help:"The running Chroma server that the restore went into, if it is not configured."`
}

func (rollbackCmd) about() about {
	return about{
		text: `Puts back the state that the last restore replaced. Without a terminal it needs
--yes.`,
		examples: []example{
			{"holdfast rollback", "undo the last restore"},
			{"holdfast rollback --dry-run", "what was restored when, and what would come back"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run undoes the last restore.
func (c *rollbackCmd) Run(ctx context.Context, a *app) error {
	if c.Into == "" {
		if _, err := a.targets(); err != nil {
			return err
		}
	} else if err := a.knowStore(c.Into); err != nil {
		return err
	}
	return a.withEngine(ctx, func(e *engine.Engine, _ *repo.Repository) error {
		plan, err := e.PlanRollback(ctx)
		if c.DryRun && err == nil {
			out := report.NewRollbackPlan(plan)
			a.ui.tell(out, func() { printRollbackPlan(a.ui, plan, out) })
		}
		if c.DryRun {
			return err
		}
		show := func() {
			if err == nil { // the rollback itself says why not, once a restore that was cut is settled
				printRollbackPlan(a.ui, plan, report.NewRollbackPlan(plan))
			}
		}
		if err := a.ui.confirm(ctx, a.Yes, show, "Put back the state from before the last restore?"); err != nil {
			return err
		}
		result, err := a.besidePrograms(ctx, func() (*engine.RestoreResult, error) { return e.Rollback(ctx) })
		if err != nil {
			return report.RestoreError(result, err)
		}
		out := report.NewRollback(result)
		a.ui.tell(out, func() { printRestored(a.ui, out, "") })
		return incompleteIf(out.Problems)
	})
}

// stateFrom says where a rollback takes the state before from.
var stateFrom = map[string]string{
	engine.FromAside:     "the replaced files, which are still there",
	engine.FromEmergency: "the emergency backup",
	engine.FromNothing:   "nothing was there before",
}

// printRollbackPlan shows what undoing the last restore would change.
func printRollbackPlan(u *ui, p *engine.RollbackPlan, out report.RollbackPlan) {
	what := "the replaced state"
	if brought := cmp.Or(p.Last.Import, p.Last.Backup.String()); brought != "" {
		what = brought
	}
	u.print("Undoing the restore of %s at %s would change:\n", u.outPaint.bold(clean(what)), p.Last.At)
	t := table{head: []string{"SOURCE", "PATH", "NOW", "BEFORE", "SIZE", "FROM"}, right: map[int]bool{2: true, 3: true, 4: true}}
	for _, target := range p.Targets {
		now := "nothing"
		if target.Exists {
			now = records(target.Now)
		}
		before := "nothing"
		if target.From != engine.FromNothing {
			before = records(target.Before)
		}
		t.add(target.Source, target.Path, now, before, size(target.Bytes), stateFrom[target.From])
	}
	u.print("%s", t.render(u.outPaint))
	for _, target := range p.Targets {
		if target.Parts != nil {
			changes(u, target.Parts.Changes)
		}
	}
	if p.Last.Emergency != "" {
		u.print("emergency backup: %s\n", clean(p.Last.Emergency.String()))
	}
	for _, w := range p.Warnings {
		u.warn(w)
	}
	if r := out.Refused; r != nil {
		u.print("%s %s\n", u.outPaint.yellow("it would be refused now:"), clean(r.Message))
		if r.Hint != "" {
			u.print("  %s\n", clean(r.Hint))
		}
	}
}

type recoverCmd struct {
	Into string `value:"URL" help:"The running Chroma server that the restore went into, if it is not configured."`
}

func (recoverCmd) about() about {
	return about{
		text: `If a restore was cut, by a crash or a power failure, this finishes or undoes it,
as its journal says. Otherwise it does nothing. backup, restore, rollback and
prune do the same before they begin.

What was begun in a running Chroma server is settled by its own requests. While the
server does not answer, restores are refused and everything else goes on, with a
warning.`,
		examples: []example{
			{"holdfast recover", "after a crash, before the application starts"},
			{"holdfast recover --into http://10.0.0.7:8000", "a restore into a server that is not configured"},
		},
		exits: []int{holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run finishes or undoes a restore that was cut.
func (c *recoverCmd) Run(ctx context.Context, a *app) error {
	if err := a.knowStore(c.Into); err != nil {
		return err
	}
	return a.withEngine(ctx, func(e *engine.Engine, _ *repo.Repository) error {
		result, err := e.Recover(ctx)
		if err != nil {
			return err
		}
		out := report.NewRecover(result)
		a.ui.tell(out, func() {
			if !out.Found {
				a.ui.print("Nothing to recover: no restore was cut.\n")
				return
			}
			for _, p := range out.Problems {
				a.ui.warn(p)
			}
			a.ui.print("An unfinished restore was %s: %s.\n", clean(out.Outcome), clean(out.Detail))
		})
		return nil
	})
}
