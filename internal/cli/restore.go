package cli

import (
	"cmp"
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
	partFlags
	replicaFlags
}

func (restoreCmd) about() about {
	return about{
		text: `Backs up the present state, validates the backup, stages a copy beside the
target, checks it as its owner would, runs the stop hook, swaps, restores the
memory, runs the start hook and confirms. If anything fails, the previous state
is put back. holdfast rollback undoes a restore that was a mistake.

With --only, latest is the newest backup that has everything named there: a
repository may hold the backups of several programs. If a newer one was passed
over, that is said.

The copy in the repository is taken; if it is gone, damaged or out of reach, the
first in the replicas that can be used, and that is said.

A Chroma server that is configured by its url, or named by --into, is restored
while its clients go on: collections are filled and compared beside the old ones
and then change names. --collection, --database, --table and --id restore parts
only; --table writes into a SQLite database in one transaction. One collection
goes into a Chroma directory that nobody serves, too; single records need the
server. Such a restore is of one source at a time.

Without a terminal, restoring over existing data needs --yes.`,
		examples: []example{
			{"holdfast restore latest", "bring the newest backup back"},
			{"holdfast restore monday --dry-run", "counts now and in the backup"},
			{"holdfast restore latest --only bot", "the newest backup that has the source bot"},
			{"holdfast restore latest --to ./copy", "a copy to look at or to test with"},
			{"holdfast restore monday --only memory", "the assistant's memory alone"},
			{"holdfast restore latest --collection notes --id doc-17", "one record of a running Chroma server"},
			{"holdfast restore monday --collection notes=notes-monday", "one collection, beside the one there is"},
			{"holdfast restore latest --into http://10.0.0.7:8000", "into another server, of any version that is as new"},
			{"holdfast restore latest --table users --id 42", "one row of a SQLite database"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run plans, asks and restores.
func (c *restoreCmd) Run(ctx context.Context, a *app) error {
	a.settings = c.settings()
	if c.To == "" && c.Into == "" {
		if _, err := a.targets(); err != nil {
			return err
		}
	}
	if err := c.use(a); err != nil {
		return err
	}
	req, err := c.request(a)
	if err != nil {
		return err
	}
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
			if err := a.ui.confirm(ctx, a.Yes, func() { printPlan(a.ui, plan) }, "Replace the present data by "+clean(broughtBy(plan))+"?"); err != nil {
				return err
			}
		}
		result, err := a.besidePrograms(ctx, func() (*engine.RestoreResult, error) { return e.Restore(ctx, req) })
		if err != nil {
			return report.RestoreError(result, err)
		}
		out := report.NewRestore(result, c.To)
		out.Backup = plan.Backup.Name
		a.ui.tell(out, func() { printRestored(a.ui, out, c.Into) })
		return incompleteIf(out.Problems)
	})
}

// request gives what the flags ask for.
func (c *restoreCmd) request(a *app) (engine.RestoreRequest, error) {
	req := engine.RestoreRequest{
		Name: c.Name, Only: c.Only, To: c.To, NoEmergency: c.NoEmergency, Force: c.Force, Online: c.Online,
		AcceptLosses: c.AcceptLosses, KeepReplaced: c.KeepReplaced,
	}
	if c.Online && c.To != "" {
		return req, usagef("choose one of them", "--online writes into the database where it is, and --to beside it")
	}
	parts, kind, err := c.wanted(a)
	if err != nil {
		return req, err
	}
	if len(parts) > 0 {
		source := string(kind)
		switch {
		case len(c.Only) == 1:
			source = c.Only[0]
		case len(c.Only) > 1:
			return req, usagef("name one with --only", "parts are of one source, and --only names %d", len(c.Only))
		}
		req.Parts = map[string][]holdfast.Part{source: parts}
	}
	into, err := a.store(c.Into)
	if into != nil {
		req.Into = into
	}
	return req, err
}

// replaces tells whether a restore would take the place of something.
func replaces(p *engine.RestorePlan, to string) bool {
	if to != "" {
		return false
	}
	for _, t := range p.Targets {
		if t.Exists && (t.Parts == nil || changesSomething(t.Parts)) {
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

// broughtBy names what a plan brings: a backup, or what is imported.
func broughtBy(p *engine.RestorePlan) string { return cmp.Or(p.Import, p.Backup.Name.String()) }

// printPlan shows what would change.
func printPlan(u *ui, p *engine.RestorePlan) {
	verb := "Restoring"
	if p.Import != "" {
		verb = "Importing"
	}
	u.print("%s %s%s would change:\n", verb, u.outPaint.bold(clean(broughtBy(p))), fromWords(p.From))
	t := table{head: []string{"SOURCE", "PATH", "NOW", "IN THE BACKUP", "SIZE", "HOW"}, right: map[int]bool{2: true, 3: true, 4: true}}
	for _, target := range p.Targets {
		now := "nothing"
		if target.Exists {
			now = records(target.Now)
		}
		t.add(target.Source, target.Path, now, records(target.Backup), size(target.Bytes), target.Method)
	}
	u.print("%s", t.render(u.outPaint))
	for _, target := range p.Targets {
		printPartsPlan(u, target)
	}
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

// printRestored tells the outcome to a person; into is the server that was named beside
// the configuration, if one was.
func printRestored(u *ui, o report.Restore, into string) {
	for _, p := range o.Problems {
		u.warn(p)
	}
	verb := "restore"
	if o.Import != "" {
		verb = "import"
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
	case o.Import != "":
		u.print("%s %s from %s.\n", u.outPaint.green("Imported"), clean(what), clean(o.Import))
	default:
		u.print("%s %s from %s%s.\n", u.outPaint.green("Restored"), clean(what), clean(o.Backup.String()), fromWords(o.From))
	}
	printParts(u, o)
	if o.Memory != "" {
		u.print("  memory: %s\n", clean(o.Memory))
	}
	if o.Emergency != "" {
		u.print("  the state before is the backup %s\n", clean(o.Emergency.String()))
	}
	if o.Type == "restore" && o.To == "" && into == "" {
		u.print("  `holdfast rollback` undoes this %s\n", verb)
	} else if o.Type == "restore" && o.To == "" {
		u.print("  `holdfast rollback --into URL` undoes this %s, with the same URL\n", verb)
	}
	for _, path := range o.Aside {
		u.print("  kept aside: %s\n", clean(path))
	}
	u.print("  took %s\n", span(millis(o.DurationMS)))
}
