package report

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Compact is the outcome of compact.
type Compact struct {
	Type         string    `json:"type"` // compact
	Repository   string    `json:"repository"`
	DryRun       bool      `json:"dry_run"`
	Rewritten    []Rewrite `json:"rewritten"`
	Freed        []Freed   `json:"freed"`
	FreedBytes   int64     `json:"freed_bytes"`
	WrittenBytes int64     `json:"written_bytes,omitempty"`
	Hidden       []Hidden  `json:"hidden,omitempty"`
}

// Rewrite is a backup that takes over what it needs of deleted ones.
type Rewrite struct {
	Backup      holdfast.BackupName   `json:"backup"`
	From        []holdfast.BackupName `json:"from"`
	BytesBefore int64                 `json:"bytes_before"`
	BytesAfter  int64                 `json:"bytes_after"`
}

// Freed is a deleted backup whose space is free.
type Freed struct {
	Name  holdfast.BackupName `json:"name"`
	Bytes int64               `json:"bytes"`
}

// NewCompact tells what was rewritten and freed in the repository at a place, or
// would be.
func NewCompact(repository string, dryRun bool, rewrites []repo.Rewrite, freed []repo.Freed) Compact {
	o := Compact{Type: "compact", Repository: repository, DryRun: dryRun, Rewritten: []Rewrite{}, Freed: []Freed{}}
	for _, w := range rewrites {
		o.Rewritten = append(o.Rewritten, Rewrite{Backup: w.Backup, From: w.From, BytesBefore: w.Before, BytesAfter: w.After})
	}
	for _, f := range freed {
		o.Freed = append(o.Freed, Freed{f.Name, f.Bytes})
		o.FreedBytes += f.Bytes
	}
	return o
}
