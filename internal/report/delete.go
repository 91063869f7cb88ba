package report

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Delete is the outcome of delete.
type Delete struct {
	Type       string                `json:"type"` // delete
	Repository string                `json:"repository"`
	Deleted    []holdfast.BackupName `json:"deleted"`
	FreedBytes int64                 `json:"freed_bytes"`
	// Freed are the backups whose space is free now, those too that were
	// deleted earlier.
	Freed []holdfast.BackupName `json:"freed"`
	// Hidden are deleted backups whose space is not free yet.
	Hidden []Hidden `json:"hidden,omitempty"`
}

// NewDelete tells what was deleted in the repository at a place.
func NewDelete(repository string, gone []repo.Deletion) Delete {
	o := Delete{Type: "delete", Repository: repository, Deleted: []holdfast.BackupName{}, Freed: []holdfast.BackupName{}}
	for _, d := range gone {
		o.Deleted = append(o.Deleted, d.Backup)
		o.FreedBytes += d.FreedBytes()
		for _, f := range d.Freed {
			o.Freed = append(o.Freed, f.Name)
		}
	}
	return o
}

// Pin is the outcome of pin and unpin.
type Pin struct {
	Type   string              `json:"type"` // pin
	Backup holdfast.BackupName `json:"backup"`
	Pinned bool                `json:"pinned"`
}

// NewPin tells whether a backup is pinned now.
func NewPin(backup holdfast.BackupName, pinned bool) Pin {
	return Pin{Type: "pin", Backup: backup, Pinned: pinned}
}
