package restore

import (
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// A Rollback is what the page of undoing the last restore shows.
type Rollback struct {
	// Plan is what would come back; nil: there is nothing to undo.
	Plan *report.RollbackPlan
	// Last is the last restore, which may be undone already; nil: there was none.
	Last *report.LastRestore
	// Pending is a restore that was cut and has to be settled first.
	Pending   *report.Pending
	Key       string
	WrongName bool
	Typed     string
	ReadOnly  bool
	Busy      string
}

// Name is what the reader types to confirm: the backup whose restore is undone.
func (m Rollback) Name() string {
	if m.Last == nil {
		return ""
	}
	return m.Last.Backup.String()
}

// Possible tells whether there is something to undo and nothing in its way.
func (m Rollback) Possible() bool {
	return m.Plan != nil && m.Plan.Undoable && m.Busy == "" && m.Pending == nil && !m.ReadOnly
}

// A Recovery is what the page of a restore that was cut shows.
type Recovery struct {
	Pending  *report.Pending // nil: none was cut
	Key      string
	ReadOnly bool
	Busy     string
}

func showRollback(v *site.Visit) error {
	m, err := loadRollback(v)
	if err != nil {
		return err
	}
	return v.Render(http.StatusOK, RollbackView(v.Page("backups", v.L.T("restore.rollback.title")), m))
}

func beginRollback(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	m, err := loadRollback(v)
	if err != nil {
		return err
	}
	m.Key, m.Typed = form.Get("key"), form.Get("confirm")
	m.WrongName = m.Last != nil && !ui.Confirmed(m.Typed, m.Name())
	again := m.Last == nil || m.Last.UndoneAt != nil // a second click finds the work of the first
	if m.WrongName && !again {
		return v.Render(http.StatusUnprocessableEntity, RollbackView(v.Page("backups", v.L.T("restore.rollback.title")), m))
	}
	if m.Last == nil {
		return &holdfast.Error{Op: "rollback", Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no restore to undo")}
	}
	j, err := v.Core.Operations.Rollback(v.Context(), caller(v), m.Key, operation.RollbackRequest{})
	if locked(err) {
		m.Busy = busy(v.Core)
		return v.Render(http.StatusLocked, RollbackView(v.Page("backups", v.L.T("restore.rollback.title")), m))
	}
	return begun(v, j, err)
}

// loadRollback asks what can be undone.
func loadRollback(v *site.Visit) (Rollback, error) {
	m := Rollback{Key: rand.Text(), ReadOnly: readOnly(v), Busy: busy(v.Core)}
	var err error
	if m.Last, err = v.Core.Operations.LastRestore(v.Context()); err != nil && !errors.Is(err, holdfast.ErrNotFound) {
		return m, err // without a repository there was no restore
	}
	if m.Busy == "" {
		if m.Pending, err = pending(v); err != nil {
			return m, err
		}
	}
	plan, err := v.Core.Operations.PlanRollback(v.Context())
	switch {
	case errors.Is(err, holdfast.ErrNotFound):
	case err != nil:
		return m, err
	default:
		m.Plan = &plan
	}
	return m, nil
}

// pending is a restore that was cut.
func pending(v *site.Visit) (*report.Pending, error) {
	st, err := v.Core.Status(v.Context())
	return st.Pending, err
}

func showRecover(v *site.Visit) error {
	m := Recovery{Key: rand.Text(), ReadOnly: readOnly(v), Busy: busy(v.Core)}
	if m.Busy == "" {
		var err error
		if m.Pending, err = pending(v); err != nil {
			return err
		}
	}
	return v.Render(http.StatusOK, RecoverView(v.Page("backups", v.L.T("restore.recover.title")), m))
}

func beginRecover(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	j, err := v.Core.Operations.Recover(v.Context(), caller(v), form.Get("key"), operation.RecoverRequest{})
	if locked(err) {
		return v.Render(http.StatusLocked, RecoverView(v.Page("backups", v.L.T("restore.recover.title")), Recovery{Busy: busy(v.Core)}))
	}
	return begun(v, j, err)
}
