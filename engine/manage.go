package engine

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Delete removes backups for good, in the order given, and tells what became
// of those that are gone. It stops at the first that cannot be removed.
func (e *Engine) Delete(ctx context.Context, names ...holdfast.BackupName) (gone []repo.Deletion, err error) {
	r := e.start(ctx, "delete")
	err = r.locked(ctx, func(ctx context.Context) error {
		for _, name := range names {
			d, err := e.o.Repository.Delete(ctx, name)
			if d.Backup != "" {
				r.deleted(d)
				gone = append(gone, d)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return gone, err
}

// deleted logs what became of a backup.
func (r *run) deleted(d repo.Deletion) {
	r.log.Info("backup deleted", keyBackup, d.Backup, "freed_bytes", d.FreedBytes(), "held_bytes", d.Held, "needed_by", d.NeededBy)
}

// SetPinned keeps a backup from pruning, or no longer.
func (e *Engine) SetPinned(ctx context.Context, name holdfast.BackupName, pinned bool) error {
	r := e.start(ctx, "pin")
	return r.locked(ctx, func(ctx context.Context) error {
		return e.o.Repository.SetPinned(ctx, name, pinned)
	})
}

// Pending is a restore or rollback that was cut, or that another process has
// in hand.
type Pending struct {
	Op     string              // restore or rollback
	Backup holdfast.BackupName // what is being restored, if that is known
	Begun  holdfast.Time
}

// Pending tells whether a restore was cut and waits for Recover; nil if none
// was. It changes nothing.
func (e *Engine) Pending() (*Pending, error) {
	j, err := e.loadJournal()
	if err != nil {
		return nil, err
	}
	if j != nil {
		return &Pending{Op: j.Op, Backup: j.Backup, Begun: j.Begun}, nil
	}
	parts, err := e.loadPartsJournal()
	if err != nil || parts == nil {
		return nil, err
	}
	return &Pending{Op: parts.Op, Backup: parts.Backup, Begun: parts.Begun}, nil
}

// Replaced is what last took the place of the data, and was confirmed there.
type Replaced struct {
	At         holdfast.Time       // when it was confirmed
	Backup     holdfast.BackupName // what was restored, or taken back
	RolledBack bool                // by a rollback
}

// LastReplaced tells what last took the place of the data; nil if nothing is known of it.
func (e *Engine) LastReplaced() (*Replaced, error) {
	last, err := e.loadLastRestore()
	if err != nil || last == nil {
		return nil, err
	}
	if last.Undone != nil {
		return &Replaced{At: *last.Undone, Backup: last.Backup, RolledBack: true}, nil
	}
	return &Replaced{At: last.At, Backup: last.Backup}, nil
}
