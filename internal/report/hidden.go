package report

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Hidden is a deleted backup whose space is not free yet.
type Hidden struct {
	Name      holdfast.BackupName   `json:"name"`
	DeletedAt *holdfast.Time        `json:"deleted_at,omitempty"`
	HeldBytes int64                 `json:"held_bytes"`
	NeededBy  []holdfast.BackupName `json:"needed_by"`
	// Unreadable are backups that may need it, for all anybody knows.
	Unreadable []holdfast.BackupName `json:"unreadable,omitempty"`
	Error      string                `json:"error,omitempty"`
}

// HiddenIn lists the deleted backups whose space is not free yet.
func HiddenIn(ctx context.Context, r *repo.Repository) ([]Hidden, error) {
	list, err := r.Hidden(ctx)
	if err != nil {
		return nil, err
	}
	var items []Hidden
	for _, h := range list {
		i := Hidden{Name: h.Name, HeldBytes: h.Bytes, NeededBy: h.NeededBy, Unreadable: h.Unreadable}
		if i.NeededBy == nil {
			i.NeededBy = []holdfast.BackupName{}
		}
		if h.Err != nil {
			i.Error = h.Err.Error()
		} else {
			i.DeletedAt = &h.DeletedAt
		}
		items = append(items, i)
	}
	return items, nil
}

// HeldBytes sums the space that hidden backups hold.
func HeldBytes(items []Hidden) int64 {
	sum := int64(0)
	for _, i := range items {
		sum += i.HeldBytes
	}
	return sum
}
