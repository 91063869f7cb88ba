package operation

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// recoveredFinished is the outcome of engine.RecoverResult that means that the new
// state is in place.
const recoveredFinished = "finished"

// SetRecovered tells what the recovery at the start of the daemon found, before
// Settle is asked: it is the outcome of a restore that was cut. Nil tells that the
// recovery could not be made.
func (o *Operations) SetRecovered(r *engine.RecoverResult) { o.recovered.Store(r) }

// settleRestore tells what became of a restore. The recovery at the start has
// finished or undone one that was cut. A restore without a journal was either not far
// enough to have one, or had come to its end; its events tell which.
func (o *Operations) settleRestore(ctx context.Context, j job.Job) job.Verdict {
	if recovered := o.recovered.Load(); recovered != nil && recovered.Found {
		v := job.Verdict{Outcome: recovered.Detail, Result: report.NewRecover(recovered)}
		if j.Kind == KindRecover || recovered.Outcome == recoveredFinished {
			v.State = job.Succeeded
		}
		return v
	}
	if o.pending(ctx) {
		return job.Verdict{Outcome: "it was cut, and is not settled yet: the next backup or restore, or recover, finishes or undoes it first"}
	}
	switch {
	case j.Kind == KindRecover:
		return job.Verdict{State: job.Succeeded, Outcome: "nothing is left to recover"}
	case o.recovered.Load() == nil:
		return job.Verdict{Outcome: "the daemon ended while it ran; nothing of it waits to be recovered"}
	}
	replaced, err := o.replaced(ctx, j)
	if err != nil {
		return job.Verdict{Outcome: "the daemon ended while it ran; what became of it is not known", Err: err}
	}
	return withoutJournal(j.Progress, replaced)
}

// replaced tells whether the new state of a restore, or rollback, was confirmed. A command
// that came before this daemon may have settled it: the record of the engine tells, not how
// far the job was heard to be.
func (o *Operations) replaced(ctx context.Context, j job.Job) (bool, error) {
	e, err := o.keeper.Engine(ctx)
	if err != nil {
		return false, err
	}
	last, err := e.LastReplaced()
	if err != nil || last == nil || last.At.Before(began(j).Time) || last.RolledBack != (j.Kind == KindRollback) {
		return false, err
	}
	return j.Kind == KindRollback || j.Backup == "" || last.Backup == j.Backup, nil
}

// pending tells whether a restore waits for its recovery.
func (o *Operations) pending(ctx context.Context) bool {
	e, err := o.keeper.Engine(ctx)
	if err != nil {
		return false
	}
	p, err := e.Pending()
	return err == nil && p != nil
}

// withoutJournal tells how far a restore was of which nothing had to be recovered.
func withoutJournal(p *job.Progress, replaced bool) job.Verdict {
	switch {
	case replaced:
		return job.Verdict{State: job.Succeeded, Outcome: "the new state had been confirmed in place when the daemon ended, or soon after"}
	case p == nil:
	case p.Step == holdfast.StepRollback, p.Step == holdfast.StepResult:
		return job.Verdict{State: job.Failed, Outcome: "it had failed when the daemon ended; the state before is in place"}
	case p.Step == holdfast.StepSwap, p.Step == holdfast.StepMemory, p.Step == holdfast.StepStart, p.Step == holdfast.StepConfirm:
		return job.Verdict{Outcome: "it was cut, and has been undone: the state before is in place"}
	}
	return job.Verdict{Outcome: "the daemon ended before anything live was replaced; the state before is in place"}
}
