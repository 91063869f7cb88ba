package repo

import (
	"context"
	"errors"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// holdKey is the note that keeps a repository from being pruned.
const holdKey = ".holdfast/hold.json"

// A Hold keeps a repository from being pruned: a backup is so much smaller than
// the one before it that somebody has to say first whether that is right.
type Hold struct {
	Since holdfast.Time `json:"since"`
	// Backup is the newest that was too small. It may not exist: the note is
	// written before the backup is committed.
	Backup holdfast.BackupName `json:"backup"`
	Shrunk []Shrink            `json:"shrunk"`
}

// A Shrink is one source that became suspiciously small.
type Shrink struct {
	Source string `json:"source"`
	// Before is the backup that it is compared with.
	Before holdfast.BackupName `json:"before"`
	Unit   Unit                `json:"unit"`
	From   int64               `json:"from"`
	To     int64               `json:"to"`
}

// A Unit is what is counted in a source.
type Unit string

// What the size of a source is counted in.
const (
	UnitRecords Unit = "records"
	UnitFiles   Unit = "files"
	UnitBytes   Unit = "bytes"
)

// holdFile is a Hold as it is stored.
type holdFile struct {
	Format int `json:"format"`
	Hold
	Checksum string `json:"checksum"`
}

// Hold gives the hold on this repository, nil if there is none. One that cannot
// be read is an error and holds all the same: it was never there without a
// reason.
func (r *Repository) Hold(ctx context.Context) (*Hold, error) {
	var f holdFile
	data, err := readSmall(ctx, r.b, holdKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = unseal(data, &f)
	}
	if err != nil {
		return nil, &holdfast.Error{
			Op: "read", Object: holdKey, Err: err,
			Hint: "nothing is pruned before this is settled; look at the newest backups, then `holdfast prune --confirm`",
		}
	}
	return &f.Hold, nil
}

// SetHold keeps the repository from being pruned until EndHold.
func (r *Repository) SetHold(ctx context.Context, h Hold) error {
	data, err := seal(holdFile{Format: holdfast.FormatVersion, Hold: h})
	if err == nil {
		err = r.b.Put(ctx, holdKey, data, bucket.Replace)
	}
	if err != nil {
		return &holdfast.Error{Op: "write", Object: holdKey, Err: err}
	}
	return nil
}

// EndHold lets the repository be pruned again. Without a hold it does nothing.
func (r *Repository) EndHold(ctx context.Context) error {
	if err := r.b.Delete(ctx, holdKey); err != nil {
		return &holdfast.Error{Op: "remove", Object: holdKey, Err: err}
	}
	return nil
}
