package report

import (
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// Replica tells how a replica is.
type Replica struct {
	Name       string                `json:"name"`
	Location   string                `json:"location"`
	Exists     bool                  `json:"exists"`
	Backups    int                   `json:"backups"`
	Behind     []holdfast.BackupName `json:"behind,omitempty"`
	NewestAt   *holdfast.Time        `json:"newest_at,omitempty"`
	AgeSeconds int64                 `json:"age_seconds,omitempty"`
	Error      string                `json:"error,omitempty"` // why nothing is known of it
	// Limits are what it cannot promise, in sentences.
	Limits []string `json:"limits,omitempty"`
}

// NewReplicas tells how replicas are at a moment.
func NewReplicas(states []engine.ReplicaState, now time.Time) []Replica {
	items := make([]Replica, 0, len(states))
	for _, s := range states {
		item := Replica{Name: s.Name, Location: s.Location, Exists: s.Err == nil, Backups: len(s.Backups), Behind: s.Behind, NewestAt: s.Newest, Limits: s.Limits}
		if s.Newest != nil {
			item.AgeSeconds = max(0, int64(now.Sub(s.Newest.Time)/time.Second))
		}
		if s.Err != nil && !errors.Is(s.Err, holdfast.ErrNotFound) {
			item.Error = Text(s.Err)
		}
		items = append(items, item)
	}
	return items
}
