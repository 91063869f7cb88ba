package cli

import (
	"context"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type restoreCmd struct {
	Name        string   `arg:"" help:"Name of the backup, or latest."`
	Only        []string `value:"SOURCE" help:"Restore only this source, or only memory; repeatable."`
	To          string   `value:"DIR" help:"Restore into this directory instead, which must be empty or not exist. Nothing live is touched."`
	NoEmergency bool     `help:"Do not back up the present state first."`
	DryRun      bool     `help:"Show what would change, and change nothing."`
	Force       bool     `help:"Go on although processes have the data open."`
	Online      bool     `help:"SQLite: write through SQLite's own transaction, so that open connections go on."`
	replicaFlags
}

func (restoreCmd) about() about {
	return about{
		text: `Backs up the present state, validates the backup, stages a copy beside the
target, checks it as its owner would, runs the stop hook, swaps, restores the
memory, runs the start hook and confirms. If anything fails, the previous state
is put back. holdfast rollback undoes a restore that was a mistake.

The copy in the repository is taken; if it is gone, damaged or out of reach, the
first in the replicas that can be used, and that is said.

Without a terminal, restoring over existing data needs --yes.`,
		examples: []example{
			{"holdfast restore latest", "bring the newest backup back"},
			{"holdfast restore monday --dry-run", "counts now and in the backup"},
			{"holdfast restore latest --to ./copy", "a copy to look at or to test with"},
			{"holdfast restore monday --only memory", "the assistant's memory alone"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run plans, asks and restores.
func (c *restoreCmd) Run(ctx context.Context, a *app) error {
	if c.To == "" {
		if _, err := a.targets(); err != nil {
			return err
		}
	}
	if err := c.use(a); err != nil {
		return err
	}
	req := engine.RestoreRequest{Name: c.Name, Only: c.Only, To: c.To, NoEmergency: c.NoEmergency, Force: c.Force, Online: c.Online}
	return a.withCopies(ctx, func(e *engine.Engine) error {
		plan, err := e.PlanRestore(ctx, req)
		if err != nil {
			return err
		}
		if c.DryRun {
			a.ui.tell(report.NewRestorePlan(plan), func() { printPlan(a.ui, plan) })
			return nil
		}
		if replaces(plan, c.To) {
			if err := a.ui.confirm(ctx, a.Yes, func() { printPlan(a.ui, plan) }, "Replace the present data by "+clean(plan.Backup.Name.String())+"?"); err != nil {
				return err
			}
		}
		result, err := a.besidePrograms(ctx, func() (*engine.RestoreResult, error) { return e.Restore(ctx, req) })
		if err != nil {
			return report.RestoreError(result, err)
		}
		out := report.NewRestore(result, c.To)
		out.Backup = plan.Backup.Name
		a.ui.tell(out, func() { printRestored(a.ui, out) })
		return incompleteIf(out.Problems)
	})
}

// replaces tells whether a restore would take the place of something.
func replaces(p *engine.RestorePlan, to string) bool {
	if to != "" {
		return false
	}
	for _, t := range p.Targets {
		if t.Exists {
			return true
		}
	}
	return false
}

// incompleteIf ends with exit code 3 if a problem is more than a warning.
func incompleteIf(problems []holdfast.Problem) error {
	for _, p := range problems {
		if p.Severity != holdfast.Warning {
			return &ending{holdfast.ExitIncomplete}
		}
	}
	return nil
}

// printPlan shows what would change.
func printPlan(u *ui, p *engine.RestorePlan) {
	u.print("Restoring %s%s would change:\n", u.outPaint.bold(clean(p.Backup.Name.String())), fromWords(p.From))
	t := table{head: []string{"SOURCE", "PATH", "NOW", "IN THE BACKUP", "SIZE", "HOW"}, right: map[int]bool{2: true, 3: true, 4: true}}
	for _, target := range p.Targets {
		now := "nothing"
		if target.Exists {
			now = records(target.Now)
		}
		t.add(target.Source, target.Path, now, records(target.Backup), size(target.Bytes), target.Method)
	}
	u.print("%s", t.render(u.outPaint))
	if p.Memory != "" {
		u.print("memory: %s\n", clean(p.Memory))
	}
	for _, target := range p.Targets {
		for _, h := range target.Handles {
			u.print("%s process %d (%s) has %s open\n", u.outPaint.yellow("in use:"), h.PID, clean(h.Command), clean(h.Path))
		}
	}
	for _, w := range p.Warnings {
		u.warn(w)
	}
}

// printRestored tells the outcome to a person.
func printRestored(u *ui, o report.Restore) {
	for _, p := range o.Problems {
		u.warn(p)
	}
	what := strings.Join(o.Restored, ", ")
	if what == "" {
		what = "the memory"
	}
	switch {
	case o.Type == "rollback":
		u.print("%s the last restore of %s.\n", u.outPaint.green("Undid"), clean(what))
	case o.To != "":
		u.print("%s %s from %s%s into %s.\n", u.outPaint.green("Restored"), clean(what), clean(o.Backup.String()), fromWords(o.From), clean(o.To))
	default:
		u.print("%s %s from %s%s.\n", u.outPaint.green("Restored"), clean(what), clean(o.Backup.String()), fromWords(o.From))
	}
	if o.Memory != "" {
		u.print("  memory: %s\n", clean(o.Memory))
	}
	if o.Emergency != "" {
		u.print("  the state before is the backup %s\n", clean(o.Emergency.String()))
	}
	if o.Type == "restore" && o.To == "" {
		u.print("  `holdfast rollback` undoes this restore\n")
	}
	for _, path := range o.Aside {
		u.print("  kept aside: %s\n", clean(path))
	}
	u.print("  took %s\n", span(millis(o.DurationMS)))
}
