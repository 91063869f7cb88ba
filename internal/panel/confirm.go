package panel

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// fresh tells why a confirmation is not good any more because of its age; empty: it is.
func (v *visit) fresh(a screen.Action) screen.Why {
	if age := v.p.o.Now().Sub(a.At); a.At.IsZero() || age > screen.Good || age < -screen.Good {
		return screen.TooOld
	}
	return ""
}

// whose shows the restore that is at work; false: none is.
func (v *visit) whose(ctx context.Context) bool {
	j, ok := v.busy()
	if ok {
		v.show(ctx, screen.Busy(v.r, j))
	}
	return ok
}

// begun shows the work that a confirmation began, or why it did not.
func (v *visit) begun(ctx context.Context, kind string, j job.Job, err error, again screen.Action) string {
	switch {
	case errors.Is(err, holdfast.ErrLocked) && v.whose(ctx):
		return ""
	case err != nil:
		v.fail(ctx, kind, err, again)
		return ""
	}
	v.work(ctx, j.ID)
	return v.r.L.T("panel.toast.begun")
}

// plan asks what a restore would change.
func (v *visit) plan(ctx context.Context, b report.Backup) (screen.RestoreModel, operation.RestoreRequest) {
	c := v.core.Config
	q := operation.RestoreRequest{Name: string(b.Name)}
	m := screen.RestoreModel{Backup: b, NoEmergency: !c.Emergency.Enabled, Hooks: c.Hooks.Stop != ""}
	looked, cancel := looking(ctx)
	defer cancel()
	m.Last, _ = v.core.Operations.LastRestore(looked) // what it says is only compared
	m.Plan, m.Failure = v.planned(looked, q)
	if m.Failure != nil && m.Failure.Cause == holdfast.CauseInUse && onlineIsPossible(c, b) {
		// A bot that has its database open cannot let go of it: it is written to as the
		// bot itself would.
		q.Online = true
		if plan, failure := v.planned(looked, q); failure == nil {
			m.Plan, m.Failure, m.Online = plan, nil, true
			return m, q
		}
		q.Online = false
	}
	if m.Failure != nil && m.Failure.Cause == holdfast.CauseLosses {
		// What would be lost is named, and the button that goes on says so.
		q.AcceptLosses = true
		if plan, failure := v.planned(looked, q); failure == nil {
			m.Plan, m.Failure, m.Losses = plan, nil, true
			return m, q
		}
		q.AcceptLosses = false
	}
	return m, q
}

func (v *visit) planned(ctx context.Context, q operation.RestoreRequest) (report.RestorePlan, *report.Error) {
	plan, err := v.core.Operations.PlanRestore(ctx, q)
	if err != nil {
		failure := told(operation.KindRestore, err)
		return plan, &failure
	}
	return plan, plan.Refused
}

// onlineIsPossible tells whether a backup is of one database that can be written to while
// it is open.
func onlineIsPossible(c *config.Config, b report.Backup) bool {
	return len(b.Sources) == 1 && b.Sources[0].Kind == holdfast.KindSQLite && len(c.Sources) > 0
}

// askRestore asks whether to restore a backup.
func (v *visit) askRestore(ctx context.Context, a screen.Action, why screen.Why) {
	if v.whose(ctx) {
		return
	}
	b, all, ok := v.find(ctx, a)
	if !ok {
		return
	}
	m, _ := v.plan(ctx, b)
	v.showPlan(ctx, m, all, a.Page, why)
}

func (v *visit) showPlan(ctx context.Context, m screen.RestoreModel, all []report.Backup, page int, why screen.Why) {
	for _, other := range all {
		if m.Backup.CreatedAt != nil && other.CreatedAt != nil && other.CreatedAt.After(m.Backup.CreatedAt.Time) {
			m.Newer++
		}
	}
	m.Page, m.Why = page, why
	v.r.Now = v.p.o.Now()
	v.show(ctx, screen.Restore(v.r, m))
}

// answered shows the work that this press began already, or that is in the way of
// another one, and tells whether it did.
func (v *visit) answered(ctx context.Context, kind, key string) bool {
	if j, ok := v.taken(kind, key); ok {
		v.work(ctx, j.ID)
		return true
	}
	return v.whose(ctx)
}

// restore restores a backup, if what the confirmation said is still so.
func (v *visit) restore(ctx context.Context, a screen.Action, data string) string {
	v.p.deciding.Lock() // of two admins who confirm at once, the second sees what the first did
	defer v.p.deciding.Unlock()
	key := v.key(data)
	if v.answered(ctx, operation.KindRestore, key) {
		return ""
	}
	b, all, ok := v.find(ctx, a)
	if !ok {
		return ""
	}
	m, q := v.plan(ctx, b)
	why := v.fresh(a)
	if why == "" && (m.Failure != nil || screen.SealOf(m) != a.Seal || !screen.Near(a.Count, screen.RecordsOf(m.Plan))) {
		why = screen.Changed
	}
	if why != "" {
		v.showPlan(ctx, m, all, a.Page, why)
		return ""
	}
	j, err := v.core.Operations.Restore(ctx, v.by(), key, q)
	return v.begun(ctx, operation.KindRestore, j, err, screen.Action{Verb: screen.DoRestore, Backup: a.Backup, Page: a.Page})
}

// lastRestore asks what can be undone.
func (v *visit) lastRestore(ctx context.Context) (m screen.RollbackModel, err error) {
	looked, cancel := looking(ctx)
	defer cancel()
	if m.Last, err = v.core.Operations.LastRestore(looked); err != nil && !errors.Is(err, holdfast.ErrNotFound) {
		return m, err
	}
	plan, err := v.core.Operations.PlanRollback(looked)
	if errors.Is(err, holdfast.ErrNotFound) {
		return m, nil
	}
	if err == nil {
		m.Plan = &plan
	}
	return m, err
}

// askRollback asks whether to undo the last restore.
func (v *visit) askRollback(ctx context.Context, why screen.Why) {
	if v.whose(ctx) {
		return
	}
	m, err := v.lastRestore(ctx)
	if err != nil {
		v.fail(ctx, operation.KindRollback, err, screen.Action{Verb: screen.DoRollback})
		return
	}
	m.Why = why
	v.show(ctx, screen.Rollback(v.r, m))
}

// rollback undoes the last restore, if what the confirmation said is still so.
func (v *visit) rollback(ctx context.Context, a screen.Action, data string) string {
	v.p.deciding.Lock() // of two admins who confirm at once, the second sees what the first did
	defer v.p.deciding.Unlock()
	key := v.key(data)
	if v.answered(ctx, operation.KindRollback, key) {
		return ""
	}
	m, err := v.lastRestore(ctx)
	if err != nil {
		v.fail(ctx, operation.KindRollback, err, screen.Action{Verb: screen.DoRollback})
		return ""
	}
	m.Why = v.fresh(a)
	if m.Why == "" && (m.Plan == nil || m.Plan.Refused != nil || screen.SealOfRollback(*m.Plan) != a.Seal || !screen.Near(a.Count, screen.RecordsOfRollback(*m.Plan))) {
		m.Why = screen.Changed
	}
	if m.Why != "" {
		v.show(ctx, screen.Rollback(v.r, m))
		return ""
	}
	j, err := v.core.Operations.Rollback(ctx, v.by(), key, operation.RollbackRequest{})
	return v.begun(ctx, operation.KindRollback, j, err, screen.Action{Verb: screen.DoRollback})
}

// pending is the restore that was cut; nil: none was.
func (v *visit) pending(ctx context.Context) (*report.Pending, error) {
	looked, cancel := looking(ctx)
	defer cancel()
	st, err := v.core.Status(looked)
	return st.Pending, err
}

// askRecover asks whether to settle a restore that was cut.
func (v *visit) askRecover(ctx context.Context, why screen.Why) {
	if v.whose(ctx) {
		return
	}
	pending, err := v.pending(ctx)
	if err != nil {
		v.fail(ctx, operation.KindRecover, err, screen.Action{Verb: screen.DoRecover})
		return
	}
	v.show(ctx, screen.Recover(v.r, pending, why))
}

// recover settles a restore that was cut.
func (v *visit) recover(ctx context.Context, a screen.Action, data string) string {
	v.p.deciding.Lock() // of two admins who confirm at once, the second sees what the first did
	defer v.p.deciding.Unlock()
	key := v.key(data)
	if v.answered(ctx, operation.KindRecover, key) {
		return ""
	}
	pending, err := v.pending(ctx)
	if err != nil {
		v.fail(ctx, operation.KindRecover, err, screen.Action{Verb: screen.DoRecover})
		return ""
	}
	why := v.fresh(a)
	if why == "" && (pending == nil || screen.SealOfPending(*pending) != a.Seal) {
		why = screen.Changed
	}
	if why != "" {
		v.show(ctx, screen.Recover(v.r, pending, why))
		return ""
	}
	j, err := v.core.Operations.Recover(ctx, v.by(), key, operation.RecoverRequest{})
	return v.begun(ctx, operation.KindRecover, j, err, screen.Action{Verb: screen.DoRecover})
}
