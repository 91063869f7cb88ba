package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// replicaItem tells how a replica is.
type replicaItem struct {
	Name       string                `json:"name"`
	Location   string                `json:"location"`
	Exists     bool                  `json:"exists"`
	Backups    int                   `json:"backups"`
	Behind     []holdfast.BackupName `json:"behind,omitempty"`
	NewestAt   *holdfast.Time        `json:"newest_at,omitempty"`
	AgeSeconds int64                 `json:"age_seconds,omitempty"`
	Error      string                `json:"error,omitempty"` // why nothing is known of it
}

func newReplicaItems(states []engine.ReplicaState, now time.Time) []replicaItem {
	items := make([]replicaItem, 0, len(states))
	for _, s := range states {
		item := replicaItem{Name: s.Name, Location: s.Location, Exists: s.Err == nil, Backups: len(s.Backups), Behind: s.Behind, NewestAt: s.Newest}
		if s.Newest != nil {
			item.AgeSeconds = max(0, int64(now.Sub(s.Newest.Time)/time.Second))
		}
		if s.Err != nil && !errors.Is(s.Err, holdfast.ErrNotFound) {
			item.Error = errorText(s.Err)
		}
		items = append(items, item)
	}
	return items
}

// words tells how far a replica is behind.
func (r replicaItem) words(now time.Time) string {
	switch {
	case r.Error != "":
		return "cannot be asked: " + r.Error
	case !r.Exists:
		return "nothing was copied there yet; `holdfast replicate` does"
	}
	newest := "none"
	if r.NewestAt != nil {
		newest = "the newest made " + ago(r.NewestAt.Time, now)
	}
	state := "up to date"
	if n := len(r.Behind); n > 0 {
		state = plural(n, "backup", "backups") + " behind"
	}
	return fmt.Sprintf("%s; %s, %s", state, plural(r.Backups, "copy", "copies"), newest)
}
