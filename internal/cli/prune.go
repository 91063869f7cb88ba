package cli

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

type pruneCmd struct {
	DryRun  bool `xor:"mode" help:"Show what would go, and why, and remove nothing."`
	Confirm bool `xor:"mode" help:"Say that the newest backups are right although they are much smaller: ends a hold on pruning."`
}

func (pruneCmd) about() about {
	return about{
		text: `Removes backups that no rule of the retention keeps: by age (retention.days,
BACKUP_RETENTION_DAYS; 7 days unless set), the last ones (retention.keep_last),
and the newest of each of the last hours, days, weeks, months and years
(retention.hourly and so on). Without any rule all are kept. Of every source the
newest, the newest undamaged and the last proven backup always stay, and so do
pinned ones. Every backup is listed with the reason why it stays or goes, and
with the space that its removal frees at once.

A backup with less than half of the records of the one before it
(retention.shrink_hold) puts pruning on hold: nothing is removed until somebody
says with --confirm that the smaller state is right. Exit status 3 means that
something stays only because of that, or could not be removed.`,
		examples: []example{
			{"holdfast prune --dry-run", "look before"},
			{"BACKUP_RETENTION_DAYS=30 holdfast prune", "with another retention"},
			{"holdfast prune --confirm", "the newest backup is right, go on"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked},
	}
}

// Run plans, and executes the plan unless told otherwise.
func (c *pruneCmd) Run(ctx context.Context, a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	return a.withEngine(ctx, func(e *engine.Engine, r *repo.Repository) error {
		out := report.NewPrune(r.Location(), cfg.Retention, c.DryRun)
		decide := e.Prune
		switch {
		case c.DryRun:
			decide = e.PlanPrune
		case c.Confirm:
			if out.Confirmed, err = e.ConfirmSmaller(ctx); err != nil {
				return err
			}
		}
		if out.Hold, err = report.HoldOn(ctx, r); err != nil {
			return err
		}
		decisions, err := decide(ctx)
		if err != nil && len(decisions) == 0 {
			return err
		}
		held := out.Add(decisions)
		var hiddenErr error
		if out.Hidden, hiddenErr = report.HiddenIn(ctx, r); hiddenErr != nil {
			err = errors.Join(err, hiddenErr)
		}
		a.ui.tell(out, func() { c.print(a.ui, out) })
		if err == nil && held && !c.DryRun {
			return &ending{holdfast.ExitIncomplete}
		}
		return err
	})
}

// print shows every decision.
func (c *pruneCmd) print(u *ui, out report.Prune) {
	switch {
	case out.Confirmed:
		u.print("The hold on pruning has ended.\n")
	case c.Confirm:
		u.print("Pruning was not on hold.\n")
	}
	t := table{head: []string{"BACKUP", "CREATED", "DECISION", "FREES", "REASON"}, right: map[int]bool{3: true}}
	for _, d := range out.Decisions {
		word, frees := "keep", ""
		if d.Remove {
			word, frees = "remove", size(d.FreesBytes)
		}
		t.add(d.Name.String(), moment(d.CreatedAt.Time), word, frees, d.Reason)
	}
	if len(out.Decisions) > 0 {
		u.print("%s", t.render(u.outPaint))
	}
	verb, freed := "removed", "freed"
	if out.DryRun {
		verb, freed = "would be removed", "would be free"
	}
	u.print("%s %s, %s %s (retention: %s)\n", plural(out.Removed, "backup", "backups"), verb, size(out.FreedBytes), freed, out.Rules)
	u.print("%s", hiddenText(out.Hidden))
	u.printHold(out.Hold)
}
