package operation

import (
	"context"

	"github.com/holdfast-backup/holdfast/internal/report"
)

// LastRestore tells of the last restore in place; nil if there was none. It costs the
// reading of one small file.
func (o *Operations) LastRestore(ctx context.Context) (*report.LastRestore, error) {
	e, err := o.keeper.Engine(ctx)
	if err != nil {
		return nil, err
	}
	last, err := e.LastRestore()
	if last == nil || err != nil {
		return nil, err
	}
	told := report.NewLastRestore(*last)
	return &told, nil
}

// PlanRollback tells what undoing the last restore would change. ErrNotFound if there
// is nothing to undo.
func (o *Operations) PlanRollback(ctx context.Context) (report.RollbackPlan, error) {
	e, err := o.keeper.Engine(ctx)
	if err != nil {
		return report.RollbackPlan{}, err
	}
	plan, err := e.PlanRollback(ctx)
	if err != nil {
		return report.RollbackPlan{}, err
	}
	out := report.NewRollbackPlan(plan)
	if j, err := o.jobs.Get(plan.Last.Operation); err == nil { // one of the command line is no job
		out.By = j.By
	}
	return out, nil
}
