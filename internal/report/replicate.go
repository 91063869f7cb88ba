package report

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// Replicate is the outcome of replicate.
type Replicate struct {
	Type       string       `json:"type"` // replicate
	Repository string       `json:"repository"`
	OK         bool         `json:"ok"`
	Replicas   []Replicated `json:"replicas"`
}

// Replicated is what was done with one replica.
type Replicated struct {
	Name     string        `json:"name"`
	Location string        `json:"location"`
	OK       bool          `json:"ok"`
	Copied   []Copied      `json:"copied"`
	Present  int           `json:"present"`
	Left     []Left        `json:"left,omitempty"`
	Pruned   []Decision    `json:"pruned,omitempty"`
	Notes    []string      `json:"notes,omitempty"`
	Errors   []ErrorDetail `json:"errors,omitempty"`
}

// Copied is one backup that was copied.
type Copied struct {
	Backup      holdfast.BackupName `json:"backup"`
	Bytes       int64               `json:"bytes"`
	ReusedBytes int64               `json:"reused_bytes,omitempty"`
	Hidden      bool                `json:"hidden,omitempty"`
}

// Left is one backup that was not wanted.
type Left struct {
	Backup holdfast.BackupName `json:"backup"`
	Reason string              `json:"reason"`
}

// NewReplicate tells what was copied from the repository at a place; ok tells
// that nothing failed.
func NewReplicate(repository string, result *engine.ReplicateResult, ok bool) Replicate {
	return Replicate{Type: "replicate", Repository: repository, OK: ok, Replicas: newReplicated(result)}
}

func newReplicated(result *engine.ReplicateResult) []Replicated {
	items := make([]Replicated, 0, len(result.Replicas))
	for _, r := range result.Replicas {
		item := Replicated{Name: r.Name, Location: r.Location, OK: len(r.Errs) == 0, Copied: []Copied{}, Present: r.Present}
		for _, b := range r.Copied {
			item.Copied = append(item.Copied, Copied{Backup: b.Backup.Name, Bytes: b.Bytes, ReusedBytes: b.Reused, Hidden: b.Hidden})
		}
		for _, l := range r.Left {
			item.Left = append(item.Left, Left{Backup: l.Backup, Reason: l.Reason})
		}
		for _, d := range r.Pruned {
			item.Pruned = append(item.Pruned, NewDecision(d))
		}
		for _, n := range r.Notes {
			item.Notes = append(item.Notes, n.Message)
		}
		for _, err := range r.Errs {
			item.Errors = append(item.Errors, NewErrorDetails(err)...)
		}
		items = append(items, item)
	}
	return items
}

// Problems are what went wrong with a replica.
func (r Replicated) Problems() []holdfast.Problem {
	var list []holdfast.Problem
	for _, e := range r.Errors {
		list = append(list, holdfast.Problem{Severity: holdfast.Warning, Object: "replica " + r.Name, Message: e.Message, Hint: e.Hint})
	}
	return list
}
