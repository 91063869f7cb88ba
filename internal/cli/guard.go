package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/child"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

type guardCmd struct {
	OnFailure string   `enum:"rollback,ask,keep" default:"ask" value:"WHAT" help:"If the command fails: rollback, ask (default; without a terminal keep, with --yes rollback) or keep."`
	Name      string   `value:"NAME" help:"Name of the backup before (default: guard_backup_ and when)."`
	Note      string   `value:"TEXT" help:"A note that is kept with the backup."`
	NoVerify  bool     `help:"Do not read the backup back before the command runs."`
	Force     bool     `help:"Run the command although the backup before is incomplete, damaged or cannot be opened here."`
	Command   []string `arg:"" optional:"" passthrough:"" name:"command" help:"The command and its arguments, after --."`
}

func (guardCmd) about() about {
	return about{
		text: `Backs up all sources, proves the backup, runs the command, and keeps what it did
if it ends with 0. If it fails, the state before is brought back (rollback), or
you are asked with what would change, or it is kept and the command that rolls
back is told. A rollback is a restore: the failed state is backed up first, and
holdfast rollback undoes it. What the command left running is ended before it. If
the files show that the command wrote nothing, there is nothing to roll back.

The command has our standard input, output and error; what guard says goes to
standard error, except for the object of --json, which comes last. Its environment
names the backup in HOLDFAST_BACKUP. Signals are passed on to it.

The exit status is the command's, whatever became of the rollback: 128 and the
number of the signal that ended it, 127 if it is not there, 126 if it cannot be
run. The others below tell why the backup failed and the command was not run.`,
		examples: []example{
			{"holdfast guard -- python ingest.py docs/", "keep it if it works, else ask"},
			{"holdfast guard --on-failure=rollback --sqlite bot.db -- ./migrate.sh", "all or nothing, without a person"},
			{"holdfast guard --note 'before the import' -- sh -c 'python a.py && python b.py'", "several commands as one"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// What became of the command's changes.
const (
	guardKept       = "kept"
	guardUnchanged  = "unchanged"   // it failed, or was not there, and wrote nothing
	guardRolledBack = "rolled_back" // the state before is back
	guardFailed     = "failed"      // it is not, though it should be
)

// guardObject is the outcome of guard.
type guardObject struct {
	Type       string              `json:"type"` // guard
	Repository string              `json:"repository"`
	Backup     *report.Backup      `json:"backup"`
	Exit       int                 `json:"command_exit"`
	Signal     string              `json:"command_signal,omitempty"`
	Action     string              `json:"action"`
	Undo       string              `json:"undo,omitempty"` // the command line that rolls back what was kept
	Emergency  holdfast.BackupName `json:"emergency_backup,omitempty"`
	Restored   []string            `json:"restored,omitempty"`
	Aside      []string            `json:"aside,omitempty"`
	Problems   []holdfast.Problem  `json:"problems,omitempty"`
}

// Run makes the backup, runs the command and settles what it did.
func (c *guardCmd) Run(ctx context.Context, a *app) error {
	command := c.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 || command[0] == "" {
		return usagef("holdfast guard -- python ingest.py", "no command is named")
	}
	// Before anything is started. A container's first process passes every signal
	// on, and none ends it.
	_, giveBack := takeSignals(ctx)
	code, was, err := child.AsInit()
	giveBack()
	if was {
		if err != nil {
			return err
		}
		return &ending{code}
	}
	cfg, err := a.sources()
	if err != nil {
		return err
	}
	g := &guarded{c: c, a: a, command: command, out: guardObject{Type: "guard", Repository: cfg.Repository}}
	if err := g.before(ctx, cfg); err != nil {
		return notRun(err)
	}
	if err := g.run(ctx, cfg); err != nil {
		return err
	}
	a.ui.tell(g.out, func() {})
	if g.out.Exit == 0 {
		return nil
	}
	return &ending{g.out.Exit}
}

// guarded is a command between backup and outcome.
type guarded struct {
	c       *guardCmd
	a       *app
	command []string
	out     guardObject
}

// before makes the backup and proves it.
func (g *guarded) before(ctx context.Context, cfg *config.Config) error {
	var made report.BackupResult
	b := backupCmd{Name: g.c.Name, Trigger: string(holdfast.TriggerGuard), Note: g.c.Note}
	err := patiently(ctx, g.a.ui, func() error {
		made = report.BackupResult{}
		_, err := b.backUp(ctx, g.a, cfg, &made)
		return err
	})
	g.problems(made.Problems)
	if err != nil {
		return err
	}
	g.out.Repository, g.out.Backup = made.Repository, made.Backup
	name := made.Backup.Name.String()
	if made.Incomplete {
		err = &holdfast.Error{
			Op: "rely on", Object: name, Err: holdfast.Kindf(holdfast.ErrRefused, "it is incomplete or holds damage: a rollback could not bring back a good state"),
			Hint: "bring the data in order first (`holdfast restore` of an older backup); --force runs the command all the same",
		}
	} else if !g.c.NoVerify {
		err = g.prove(ctx, name)
	}
	if err != nil && g.c.Force && ctx.Err() == nil {
		g.problems([]holdfast.Problem{{Severity: holdfast.Warning, Object: name, Message: report.Text(err)}})
		return nil
	}
	return err
}

// prove reads the backup back, as a rollback would.
func (g *guarded) prove(ctx context.Context, name string) error {
	return g.a.withCopies(ctx, func(e *engine.Engine) error {
		result, err := e.Verify(ctx, engine.VerifyRequest{Name: name})
		if err == nil && result.StoredOnly {
			return &holdfast.Error{
				Op: "rely on", Object: name, Err: holdfast.Kindf(holdfast.ErrRefused, "it is encrypted and no key is here: it could not be rolled back"),
				Hint: "give the key (identity_file, passphrase_file); --force or --no-verify runs the command all the same",
			}
		}
		return err
	})
}

// problems tells problems and keeps them for the outcome.
func (g *guarded) problems(list []holdfast.Problem) {
	for _, p := range list {
		g.a.ui.warn(p)
	}
	g.out.Problems = append(g.out.Problems, list...)
}

// run runs the command, and decides about what it did.
func (g *guarded) run(ctx context.Context, cfg *config.Config) error {
	sources, err := wire.Sources(cfg)
	if err != nil {
		return notRun(err)
	}
	saw := look(sources)
	signals, giveBack := takeSignals(ctx)
	defer giveBack()
	if ctx.Err() != nil {
		return notRun(ctx.Err())
	}
	sys := g.a.sys
	cmd, err := child.Start(child.Command{
		Args: g.command, Env: append(sys.Environ[:len(sys.Environ):len(sys.Environ)], "HOLDFAST_OP=guard", "HOLDFAST_BACKUP="+g.out.Backup.Name.String()),
		Stdin: sys.Stdin, Stdout: sys.Stdout, Stderr: sys.Stderr,
	})
	if err != nil {
		g.a.ui.fail("guard", err)
		g.out.Exit, g.out.Action = child.Code(err), guardUnchanged
		return nil
	}
	exit := passOn(cmd, signals)
	giveBack() // from here on a signal is for us again
	g.out.Exit = exit.Code
	if exit.Signal != nil {
		g.out.Signal = exit.Signal.String()
	}
	switch {
	case exit.Code == 0:
		g.out.Action = guardKept
		g.a.ui.note("note: the state before %s is the backup %s", clean(g.command[0]), clean(g.out.Backup.Name.String()))
	case saw.unchanged(ctx, sources):
		g.out.Action = guardUnchanged
		g.failure(exit, "it wrote nothing, so there is nothing to roll back", "")
	default:
		g.settle(ctx, cmd, exit)
	}
	return nil
}

// passOn gives the command the signals that come, until it ends.
func passOn(cmd *child.Child, signals <-chan os.Signal) child.ExitState {
	for {
		select {
		case s := <-signals:
			_ = cmd.Signal(s) // it has ended: so will the loop
		case <-cmd.Done():
			return cmd.Exit()
		}
	}
}

// failure tells how the command failed, and what becomes of that.
func (g *guarded) failure(exit child.ExitState, what, hint string) {
	g.problems([]holdfast.Problem{{
		Severity: holdfast.Warning, Object: g.command[0], Hint: hint,
		Message: fmt.Sprintf("%s; %s", exit, what),
	}})
}

// settle keeps or undoes what a command left that failed.
func (g *guarded) settle(ctx context.Context, cmd *child.Child, exit child.ExitState) {
	name := g.out.Backup.Name.String()
	switch {
	case g.c.OnFailure == "keep", g.c.OnFailure == "ask" && !g.a.Yes && !g.agreed(ctx, exit):
		g.out.Action, g.out.Undo = guardKept, commandLine(g.a.globals, "restore", name)
		g.failure(exit, "what it changed is kept", "`"+g.out.Undo+"` brings back the state before")
		return
	}
	g.failure(exit, "rolling back to "+name, "")
	err := g.rollBack(ctx, cmd, name)
	if err == nil {
		g.out.Action = guardRolledBack
		return
	}
	g.out.Action, g.out.Undo = guardFailed, commandLine(g.a.globals, "restore", name)
	hint := "it is the backup " + name + ": `" + g.out.Undo + "` tries again"
	if first := report.Hint(err); first != "" {
		hint = first + "; " + hint
	}
	g.a.ui.fail("guard", &holdfast.Error{Err: retold(err, "the state before was not brought back: "+report.Text(err)), Hint: hint})
}

// agreed asks a person. Without one the answer is no.
func (g *guarded) agreed(ctx context.Context, exit child.ExitState) bool {
	if !g.a.ui.canAsk() {
		return false
	}
	name := g.out.Backup.Name.String()
	err := g.a.withCopies(ctx, func(e *engine.Engine) error {
		plan, err := e.PlanRestore(ctx, engine.RestoreRequest{Name: name})
		if err != nil {
			return err
		}
		return g.a.ui.confirm(ctx, false, func() { printPlan(g.a.ui.news(), plan) }, clean(g.command[0])+" "+exit.String()+". Roll back to "+clean(name)+"?")
	})
	if err != nil && !errors.Is(err, errDeclined) {
		g.problems([]holdfast.Problem{{Severity: holdfast.Warning, Message: "nobody could be asked: " + report.Text(err), Hint: report.Hint(err)}})
	}
	return err == nil
}

// leftoverGrace is how long what a failed command left running may take to end.
const leftoverGrace = 5 * time.Second

// rollBack restores the backup from before the command.
func (g *guarded) rollBack(ctx context.Context, cmd *child.Child, name string) error {
	// It would go on to write into what is restored.
	if err := cmd.Stop(ctx, leftoverGrace); err != nil {
		return err
	}
	var result *engine.RestoreResult
	var failed error
	err := patiently(ctx, g.a.ui, func() error {
		failed = g.a.withCopies(ctx, func(e *engine.Engine) (err error) {
			result, err = e.Restore(ctx, engine.RestoreRequest{Name: name})
			return report.RestoreError(result, err)
		})
		if result != nil && result.Emergency != "" {
			return nil // once begun it is not repeated
		}
		return failed
	})
	if err == nil {
		err = failed
	}
	if result != nil {
		g.out.Emergency, g.out.Restored, g.out.Aside = result.Emergency, result.Restored, result.Aside
		g.problems(result.Problems)
	}
	if err == nil && !g.a.Quiet {
		printRestored(g.a.ui.news(), report.NewRestore(&engine.RestoreResult{
			Plan: result.Plan, Emergency: result.Emergency, Restored: result.Restored, Memory: result.Memory, Aside: result.Aside, Duration: result.Duration,
		}, ""), "")
	}
	return err
}

// notRun tells that it is because of err that a command was not run.
func notRun(err error) error { return &report.Aftermath{Err: err, Words: "the command was not run"} }
