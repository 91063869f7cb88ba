package report

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/autoswitch"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// autoBackupKey is the setting that beats the switch.
const autoBackupKey = "auto_backup"

// AutoBackup tells whether an assistant that asks for a backup before an upload gets one.
type AutoBackup struct {
	On bool `json:"on" doc:"Whether they are made."`
	// Configured is what the configuration says; false beats the switch.
	Configured bool   `json:"configured" doc:"auto_backup of the configuration; false beats the switch."`
	Origin     string `json:"origin" doc:"Where the configuration says so."`
	// By and At tell who turned the switch last; missing if nobody has.
	By    string         `json:"by,omitempty" doc:"Who turned the switch last."`
	At    *holdfast.Time `json:"at,omitempty" doc:"When the switch was turned last."`
	Error string         `json:"error,omitempty" doc:"Why the switch cannot be read; it counts as on then."`
}

// AutoBackupOf tells how Auto Backup stands under a configuration.
func AutoBackupOf(c *config.Config) AutoBackup {
	out := AutoBackup{On: c.AutoBackup, Configured: c.AutoBackup}
	for _, v := range c.Values {
		if v.Key == autoBackupKey {
			out.Origin = v.Origin.String()
		}
	}
	dir, err := wire.StateDir(c)
	if err != nil {
		out.Error = Text(err)
		return out
	}
	p, err := autoswitch.Read(dir)
	if err != nil {
		out.Error = Text(err)
	}
	out.On, out.By, out.At = c.AutoBackup && p.On, p.By, p.At
	return out
}

// NoteOn tells what beats a setting that is shown, so that nobody takes it for what
// happens; empty if nothing does.
func NoteOn(c *config.Config, key string) string {
	if key != autoBackupKey || !c.AutoBackup {
		return ""
	}
	switch a := AutoBackupOf(c); {
	case a.Error != "":
		return "the switch cannot be read, and counts as on: " + a.Error
	case !a.On:
		return "switched off by " + a.By + ", at " + a.At.String()
	}
	return ""
}
