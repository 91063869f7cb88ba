package repo

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// Deletion tells what became of a deleted backup.
type Deletion struct {
	Backup holdfast.BackupName
	// Freed are the backups whose space is free now: the deleted one, unless
	// it is Hidden, and those deleted earlier that nothing needs any more.
	Freed []Freed
	// Hidden tells that the backup is gone for everybody, but that its
	// payloads, Held bytes, stay as long as the backups NeededBy refer to
	// them, or as long as there are Unreadable backups, of which nobody
	// knows what they need.
	Hidden     bool
	NeededBy   []holdfast.BackupName
	Unreadable []holdfast.BackupName
	Held       int64
}

// Freed is a backup that is gone with all its objects.
type Freed struct {
	Name  holdfast.BackupName
	Bytes int64
}

// FreedBytes sums the space that is free now.
func (d Deletion) FreedBytes() int64 {
	sum := int64(0)
	for _, f := range d.Freed {
		sum += f.Bytes
	}
	return sum
}

// Delete removes a backup: at once from every list, and its objects as soon as
// no other backup refers to them. If the error is not nil but the Deletion has
// the backup's name, the backup is gone and only freeing space failed.
func (r *Repository) Delete(ctx context.Context, name holdfast.BackupName) (Deletion, error) {
	again, err := r.deletable(ctx, name)
	if err != nil {
		return Deletion{}, err
	}
	n, err := r.needs(ctx)
	if err != nil {
		return Deletion{}, err
	}
	n.forget(name)
	d := Deletion{Backup: name, NeededBy: n.by[name], Unreadable: n.unreadable}
	bytes, err := r.treeBytes(ctx, name)
	if err != nil {
		return Deletion{}, err
	}
	if again || len(d.NeededBy) > 0 || len(d.Unreadable) > 0 {
		if err := r.bury(ctx, name); err != nil {
			return Deletion{}, err
		}
	} else {
		if err := r.b.RemoveTree(ctx, string(name), holdfast.MetadataFile); err != nil {
			return Deletion{}, &holdfast.Error{Op: "delete", Object: string(name), Err: err}
		}
		d.Freed = []Freed{{name, bytes}}
		if err := r.removeNotes(ctx, name); err != nil {
			return d, err
		}
	}
	freed, err := r.sweep(ctx, n)
	d.Freed = append(d.Freed, freed...)
	if !slices.ContainsFunc(d.Freed, func(f Freed) bool { return f.Name == name }) {
		d.Hidden, d.Held = true, bytes
	}
	return d, err
}

// deletable tells whether name is a backup that can be deleted: one that people
// see or, again, a hidden one whose tombstone is damaged.
func (r *Repository) deletable(ctx context.Context, name holdfast.BackupName) (again bool, err error) {
	if _, err := holdfast.ParseBackupName(string(name)); err != nil {
		return false, err
	}
	_, err = r.readTombstone(ctx, name)
	switch {
	case err == nil:
		return false, deleted(name)
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case !errors.Is(err, fs.ErrNotExist):
		return true, nil
	}
	_, err = r.info(ctx, name)
	return false, err
}

// forget takes out what a backup that is being deleted needs itself.
func (n *needed) forget(name holdfast.BackupName) {
	n.unreadable = slices.DeleteFunc(n.unreadable, func(other holdfast.BackupName) bool { return other == name })
	for on, by := range n.by {
		by = slices.DeleteFunc(by, func(other holdfast.BackupName) bool { return other == name })
		n.by[on] = by
		if len(by) == 0 {
			delete(n.by, on)
		}
	}
}

// sweep frees the hidden backups that nothing needs, and what a freeing that
// was cut left behind.
func (r *Repository) sweep(ctx context.Context, n needed) ([]Freed, error) {
	names, err := r.hiddenNames(ctx)
	if err != nil {
		return nil, err
	}
	var freed []Freed
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if ctx.Err() != nil {
			return freed, context.Cause(ctx)
		}
		if len(n.by[name]) > 0 || len(n.unreadable) > 0 {
			continue
		}
		_, err := r.readTombstone(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // freed since it was listed, or the listing lags
		}
		if errors.Is(err, holdfast.ErrDamaged) || errors.Is(err, holdfast.ErrRefused) {
			continue // nothing is removed on the word of such a file; Hidden tells
		}
		var bytes int64
		if err == nil {
			bytes, err = r.treeBytes(ctx, name)
		}
		if err == nil {
			err = r.free(ctx, name)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		freed = append(freed, Freed{name, bytes})
	}
	return freed, errors.Join(errs...)
}

// free removes all objects of a hidden backup. The tombstone goes last: what is
// left after a cut stays hidden, and the next writer goes on.
func (r *Repository) free(ctx context.Context, name holdfast.BackupName) error {
	if err := r.b.RemoveTree(ctx, string(name), holdfast.MetadataFile); err != nil {
		return &holdfast.Error{Op: "free", Object: string(name), Err: err}
	}
	if err := r.removeNotes(ctx, name); err != nil {
		return err
	}
	if err := r.b.Delete(ctx, tombstoneKey(name)); err != nil {
		return &holdfast.Error{Op: "free", Object: tombstoneKey(name), Err: err}
	}
	return nil
}

// removeNotes removes what lies beside a backup that is gone. Left behind by a
// cut it means nothing: the next backup of this name starts with what Create
// leaves.
func (r *Repository) removeNotes(ctx context.Context, name holdfast.BackupName) error {
	if err := r.b.Delete(ctx, stateKey(name)); err != nil {
		return &holdfast.Error{Op: "delete", Object: stateKey(name), Err: err}
	}
	return nil
}

// settle ends at the beginning of a writer's work the compactions that were cut
// and frees what nothing needs any more.
// That some of it could not be freed does not keep the writer from working: it
// stays hidden, and is told by Hidden and by the next Delete.
func (r *Repository) settle(ctx context.Context) error {
	if err := r.settleCompactions(ctx); err != nil {
		return err
	}
	names, err := r.hiddenNames(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	n, err := r.needs(ctx)
	if err == nil {
		_, _ = r.sweep(ctx, n)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
