package operation

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/autoswitch"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// AutoBackupRequest asks to turn the switch of Auto Backup.
type AutoBackupRequest struct {
	On bool `json:"on" doc:"Whether an assistant that asks for a backup before an upload gets one."`
}

// AutoBackup tells whether assistants that ask for a backup before an upload get one.
func (o *Operations) AutoBackup() report.AutoBackup { return report.AutoBackupOf(o.config) }

// SetAutoBackup turns that on or off until somebody turns it again. The configuration
// beats it: what is off there stays off.
func (o *Operations) SetAutoBackup(by string, q AutoBackupRequest) (report.AutoBackup, error) {
	if !o.config.AutoBackup {
		now := o.AutoBackup()
		return now, &holdfast.Error{
			Op: "turn Auto Backup", Object: "auto_backup", Err: holdfast.Kindf(holdfast.ErrRefused, "the configuration switches it off (%s)", now.Origin),
			Hint: "set auto_backup (AUTO_BACKUP_ENABLED) to true there first",
		}
	}
	dir, err := wire.StateDir(o.config)
	if err != nil {
		return report.AutoBackup{}, err
	}
	at := holdfast.At(o.now())
	if err := autoswitch.Set(dir, autoswitch.Position{On: q.On, By: by, At: &at}); err != nil {
		return report.AutoBackup{}, err
	}
	o.log.Info("auto backup was switched", "on", q.On, "by", by)
	return o.AutoBackup(), nil
}
