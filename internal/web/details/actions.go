package details

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/backups"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

func caller(v *site.Visit) string { return access.CallerOf(v.Context()).Name }

// verify reads every byte of the backup again, with the deeper checks if the form asks
// for them.
func verify(v *site.Visit) error {
	name, form, err := asked(v)
	if err != nil {
		return err
	}
	j, err := v.Core.Operations.Verify(v.Context(), caller(v), "", operation.VerifyRequest{Name: string(name), Full: form["full"] != nil})
	return begun(v, j, err)
}

// drill restores the backup on trial.
func drill(v *site.Visit) error {
	name, _, err := asked(v)
	if err != nil {
		return err
	}
	j, err := v.Core.Operations.Drill(v.Context(), caller(v), "", operation.DrillRequest{Name: string(name)})
	return begun(v, j, err)
}

// pin keeps the backup, or no longer.
func pin(pinned bool) site.Handler {
	return func(v *site.Visit) error {
		name, _, err := asked(v)
		if err != nil {
			return err
		}
		if _, err := v.Core.Operations.Pin(v.Context(), string(name), pinned); err != nil {
			return err
		}
		if pinned {
			v.Notice(ui.Good, "details.said_pinned", "name", string(name))
		} else {
			v.Notice(ui.Calm, "details.said_unpinned", "name", string(name))
		}
		return v.Redirect(Path(name))
	}
}

// asked reads which backup an action is about, and its form.
func asked(v *site.Visit) (holdfast.BackupName, map[string][]string, error) {
	name, err := v.Backup()
	if err != nil {
		return "", nil, err
	}
	form, err := v.Form()
	return name, form, err
}

// begun leads to the page of a job.
func begun(v *site.Visit, j job.Job, err error) error {
	if err != nil {
		return err
	}
	access.Note(v.Context(), access.Facts{Job: j.ID, Operation: j.ID})
	return v.Redirect("/jobs/" + j.ID)
}

// remove deletes the backup as the list does: it asks first where that matters, and leads
// to the list, which offers to take it back.
func remove(v *site.Visit) error {
	name, _, err := asked(v)
	if err != nil {
		return err
	}
	return backups.Remove(v, []holdfast.BackupName{name}, "")
}
