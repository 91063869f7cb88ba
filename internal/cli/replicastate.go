package cli

import (
	"fmt"
	"time"

	"github.com/holdfast-backup/holdfast/internal/report"
)

// replicaWords tell how far a replica is behind.
func replicaWords(r report.Replica, now time.Time) string {
	switch {
	case r.Error != "":
		return "cannot be asked: " + r.Error
	case !r.Exists:
		return "nothing was copied there yet; `holdfast replicate` does"
	}
	newest := "none"
	if r.NewestAt != nil {
		newest = "the newest made " + report.Ago(r.NewestAt.Time, now)
	}
	state := "up to date"
	if n := len(r.Behind); n > 0 {
		state = plural(n, "backup", "backups") + " behind"
	}
	return fmt.Sprintf("%s; %s, %s", state, plural(r.Backups, "copy", "copies"), newest)
}
