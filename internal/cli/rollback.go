package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

type rollbackCmd struct{}

func (rollbackCmd) about() about {
	return about{
		text: `Puts back the state that the last restore replaced. Without a terminal it needs
--yes.`,
		examples: []example{{"holdfast rollback", "undo the last restore"}},
		exits:    []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run undoes the last restore.
func (c *rollbackCmd) Run(ctx context.Context, a *app) error {
	if _, err := a.targets(); err != nil {
		return err
	}
	return a.withEngine(ctx, func(e *engine.Engine, _ *repo.Repository) error {
		if err := a.ui.confirm(ctx, a.Yes, func() {}, "Put back the state from before the last restore?"); err != nil {
			return err
		}
		result, err := a.besidePrograms(ctx, func() (*engine.RestoreResult, error) { return e.Rollback(ctx) })
		if err != nil {
			return report.RestoreError(result, err)
		}
		out := report.NewRollback(result)
		a.ui.tell(out, func() { printRestored(a.ui, out) })
		return incompleteIf(out.Problems)
	})
}

type recoverCmd struct{}

func (recoverCmd) about() about {
	return about{
		text: `If a restore was cut, by a crash or a power failure, this finishes or undoes it,
as its journal says. Otherwise it does nothing. backup, restore, rollback and
prune do the same before they begin.`,
		examples: []example{{"holdfast recover", "after a crash, before the application starts"}},
		exits:    []int{holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run finishes or undoes a restore that was cut.
func (c *recoverCmd) Run(ctx context.Context, a *app) error {
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
