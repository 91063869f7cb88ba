package backups

import (
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// mostSelected bounds what one form names.
const mostSelected = 1000

// selected reads the names that were ticked.
func selected(v *site.Visit) ([]holdfast.BackupName, error) {
	form, err := v.Form()
	if err != nil {
		return nil, err
	}
	var names []holdfast.BackupName
	for _, text := range form["name"] {
		name, err := holdfast.ParseBackupName(text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > mostSelected {
		return nil, &holdfast.Error{Op: "select", Err: holdfast.Kindf(holdfast.ErrUsage, "it takes at most %d names", mostSelected)}
	}
	return names, nil
}

// back is the page of the list from which the form was sent.
func back(v *site.Visit) string { return site.Local(v.R.PostFormValue("back"), root) }

// none tells that nothing was ticked.
func none(v *site.Visit) error {
	v.Notice(ui.Warn, "backups.none_selected")
	return v.Redirect(back(v))
}

// verifySelected begins to verify backups, each by a job of its own.
func verifySelected(v *site.Visit) error {
	names, err := selected(v)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return none(v)
	}
	for _, name := range names {
		j, err := v.Core.Operations.Verify(v.Context(), caller(v), "", operation.VerifyRequest{Name: name.String()})
		if err != nil || len(names) == 1 {
			return begun(v, j, err)
		}
	}
	v.Notice(ui.Calm, "backups.verifying", "n", len(names))
	return v.Redirect(back(v))
}

// pinSelected keeps backups from being pruned, or no longer.
func pinSelected(pinned bool) site.Handler {
	return func(v *site.Visit) error {
		names, err := selected(v)
		if err != nil {
			return err
		}
		if len(names) == 0 {
			return none(v)
		}
		for _, name := range names {
			if _, err := v.Core.Operations.Pin(v.Context(), name.String(), pinned); err != nil {
				return err
			}
		}
		id := "backups.unpinned"
		if pinned {
			id = "backups.pinned_now"
		}
		v.Notice(ui.Good, id, "n", len(names))
		return v.Redirect(back(v))
	}
}
