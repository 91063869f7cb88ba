package engine

import (
	"cmp"
	"context"

	"github.com/holdfast-backup/holdfast"
)

// The owner of the sources is stopped after the stop hook and started again as soon
// as a state is in place that nothing will undo any more. That is later than the
// start hook, which may fail and undo the restore: the owner may live in this
// process, where nobody else may look into its database while it is at work.

// stopOwner asks the owner to let go of the targets. That it is about to be stopped
// is recorded first, so that whoever recovers starts it.
func (c *ceremony) stopOwner(ctx context.Context) error {
	var sources []string
	for _, t := range c.journal.Targets {
		if t.Method != methodOnline {
			sources = append(sources, t.Source)
		}
	}
	c.journal.OwnerStopped = true
	if err := c.e.saveJournal(c.journal); err != nil {
		c.journal.OwnerStopped = false
		return err
	}
	if err := c.e.o.Owner.Stop(ctx, sources); err != nil {
		c.journal.OwnerStopped = false // it is as it was before
		return &holdfast.Error{Op: "stop the program that uses the data", Err: err, Hint: "nothing was changed; stop it by hand, or try again"}
	}
	return nil
}

// startOwner lets the owner go on with the state that is in place, once.
func (r *run) startOwner(ctx context.Context, j *journal, result *RestoreResult) {
	if !j.OwnerStopped || r.e.o.Owner == nil {
		return
	}
	err := r.step(ctx, holdfast.StepStart, func(ctx context.Context) (string, error) {
		return "the program was started", r.e.o.Owner.Start(ctx)
	})
	if err != nil {
		result.Problems = append(result.Problems, r.problem(holdfast.Problem{
			Severity: holdfast.Incomplete, Message: "the data is in place, but the program that uses it does not go on as it should: " + err.Error(),
			Hint: cmp.Or(holdfast.HintOf(err), "look whether it runs; start it by hand if not"),
		}))
	}
	j.OwnerStopped = false
	if err := r.e.saveJournal(j); err != nil {
		r.log.Warn("that the program was started could not be recorded", keyError, err)
	}
}
