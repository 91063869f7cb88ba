package report

import (
	"cmp"
	"slices"

	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// List is the outcome of list.
type List struct {
	Type        string   `json:"type"` // list
	Repository  string   `json:"repository"`
	StoredBytes int64    `json:"stored_bytes"`
	HeldBytes   int64    `json:"held_bytes,omitempty"`
	Backups     []Backup `json:"backups"`
	Hold        *Hold    `json:"hold,omitempty"`
	Hidden      []Hidden `json:"hidden,omitempty"`
	// Replicas tells of each replica, if there are any.
	Replicas []Replica `json:"replicas,omitempty"`
}

// NewList begins the list of the repository at a place.
func NewList(repository string) List {
	return List{Type: "list", Repository: repository, Backups: []Backup{}}
}

// Here adds the backups of the repository itself.
func (l *List) Here(infos []repo.Info) {
	for _, i := range infos {
		item := NewBackup(i)
		l.StoredBytes += item.StoredBytes
		l.Backups = append(l.Backups, item)
	}
}

// There adds where else the backups are, and those that are only in a replica.
func (l *List) There(states []engine.ReplicaState) {
	for i := range l.Backups {
		l.Backups[i].Copies = []string{PlaceHere}
	}
	for _, s := range states {
		for _, i := range s.Backups {
			item := NewBackup(i)
			at := slices.IndexFunc(l.Backups, func(b Backup) bool { return sameBackup(b, item) })
			if at < 0 {
				l.Backups = append(l.Backups, item)
				at = len(l.Backups) - 1
			}
			l.Backups[at].Copies = append(l.Backups[at].Copies, s.Name)
		}
	}
	slices.SortStableFunc(l.Backups, newestFirst)
}

// PlaceHere is the place of a backup that is in the repository itself.
const PlaceHere = "repository"

// sameBackup tells whether two items are copies of one backup.
func sameBackup(a, b Backup) bool {
	return a.Name == b.Name && (a.CreatedAt == nil || b.CreatedAt == nil || a.CreatedAt.Equal(b.CreatedAt.Time))
}

// newestFirst orders backups as a repository does: those whose age nobody knows
// come last.
func newestFirst(a, b Backup) int {
	switch {
	case a.CreatedAt == nil && b.CreatedAt == nil:
		return 0
	case a.CreatedAt == nil:
		return 1
	case b.CreatedAt == nil:
		return -1
	}
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt.Time), cmp.Compare(b.Name, a.Name))
}
