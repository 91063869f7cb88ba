package report

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// Prune is the outcome of prune.
type Prune struct {
	Type          string     `json:"type"` // prune
	Repository    string     `json:"repository"`
	DryRun        bool       `json:"dry_run"`
	Confirmed     bool       `json:"confirmed"` // a hold was ended
	RetentionDays int        `json:"retention_days"`
	Rules         string     `json:"rules"`
	Removed       int        `json:"removed"`
	FreedBytes    int64      `json:"freed_bytes"`
	Hold          *Hold      `json:"hold,omitempty"`
	Decisions     []Decision `json:"decisions"`
	Hidden        []Hidden   `json:"hidden,omitempty"`
}

// Decision says whether a backup stays, and why.
type Decision struct {
	Name        holdfast.BackupName `json:"name"`
	CreatedAt   holdfast.Time       `json:"created_at"`
	Remove      bool                `json:"remove"`
	Reason      string              `json:"reason"`
	StoredBytes int64               `json:"stored_bytes"`
	FreesBytes  int64               `json:"frees_bytes"`
	Hides       bool                `json:"hides"`
	Held        bool                `json:"held"`
}

// NewDecision tells of one decision.
func NewDecision(d retention.Decision) Decision {
	return Decision{
		Name: d.Name, CreatedAt: holdfast.At(d.CreatedAt), Remove: d.Remove, Reason: d.Reason,
		StoredBytes: d.StoredBytes, FreesBytes: d.Frees, Hides: d.Hides, Held: d.Held,
	}
}

// NewPrune begins the outcome of pruning the repository at a place.
func NewPrune(repository string, rules config.Retention, dryRun bool) Prune {
	return Prune{Type: "prune", Repository: repository, DryRun: dryRun, RetentionDays: rules.Days, Rules: rules.Policy().String(), Decisions: []Decision{}}
}

// Add notes what was decided, and tells whether something stays only because
// pruning is on hold.
func (o *Prune) Add(decisions []retention.Decision) (held bool) {
	for _, d := range decisions {
		o.Decisions = append(o.Decisions, NewDecision(d))
		if d.Remove {
			o.Removed++
		}
		o.FreedBytes += d.Frees
		held = held || d.Held
	}
	return held
}
