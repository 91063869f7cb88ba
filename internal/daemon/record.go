package daemon

import (
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/history"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

// scheduleOf is when a configuration wants backups that nobody asks for.
func scheduleOf(c *config.Config) history.Schedule {
	return history.Schedule{Every: c.Schedule.Every, Cron: c.Schedule.Cron}
}

// observe takes in a verb that has ended.
func (d *daemon) observe(v engine.Verb) {
	d.metrics.Observe(v)
	d.history.Observe(v)
}

// remember takes the backups that are there into the record of what happened.
func (d *daemon) remember(infos []repo.Info) {
	made := make([]history.Backup, 0, len(infos))
	for _, i := range infos {
		if i.Metadata != nil {
			made = append(made, history.Backup{Name: i.Name, At: i.Metadata.CreatedAt.Time, Trigger: i.Metadata.Trigger, Proofs: i.Proofs})
		}
	}
	d.history.Fold(made)
}

// chronicle takes into the record how everything stands, and which runs did not come.
func (c *core) chronicle(found judgement, backups []report.Backup) {
	if r := found.status.Repository; found.err == nil && r.Exists && r.Error == "" {
		size := history.Size{Backups: int64(r.Backups), LogicalBytes: r.LogicalBytes, StoredBytes: r.StoredBytes + r.HeldBytes, FreeBytes: r.FreeBytes}
		if len(backups) > 0 {
			size.Records = backups[0].Records
		}
		c.d.history.Sample(size)
	}
	if !c.keeper.Busy() {
		c.d.history.Settle()
	}
}
