package backups

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// switchAuto turns Auto Backup on or off.
func switchAuto(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	on := form.Get("on") == "true"
	if !on && form.Get("on") != "false" { // a form that was cut or packed otherwise turns nothing off
		return &holdfast.Error{Op: "auto_backup", Err: holdfast.Kindf(holdfast.ErrUsage, "the form does not say whether it is to be on"), Hint: "send on=true or on=false"}
	}
	access.Note(v.Context(), access.Facts{Object: "auto_backup " + form.Get("on")})
	if _, err := v.Core.Operations.SetAutoBackup(caller(v), operation.AutoBackupRequest{On: on}); err != nil {
		return err
	}
	if on {
		v.Notice(ui.Good, "backups.auto_turned_on")
	} else {
		v.Notice(ui.Warn, "backups.auto_turned_off")
	}
	return v.Redirect(site.Local(form.Get("back"), root))
}
