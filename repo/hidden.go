package repo

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// deletedDir holds a tombstone for each backup that was deleted while others
// refer to its payloads. Such a backup is hidden: it is in no list and opens for
// nobody, but its payloads are read through the references of others until
// these are gone too.
const deletedDir = ".holdfast/deleted/"

// A tombstone tells that a backup was deleted.
type tombstone struct {
	Format    int                 `json:"format"`
	Backup    holdfast.BackupName `json:"backup"`
	DeletedAt holdfast.Time       `json:"deleted_at"`
	Checksum  string              `json:"checksum"`
}

func tombstoneKey(name holdfast.BackupName) string { return deletedDir + string(name) + ".json" }

// bury puts the tombstone of a backup in its place.
func (r *Repository) bury(ctx context.Context, name holdfast.BackupName) error {
	data, err := seal(tombstone{Format: holdfast.FormatVersion, Backup: name, DeletedAt: holdfast.At(time.Now())})
	if err == nil {
		err = r.b.Put(ctx, tombstoneKey(name), data, bucket.Replace)
	}
	if err != nil {
		return &holdfast.Error{Op: "write", Object: tombstoneKey(name), Err: err}
	}
	return nil
}

// readTombstone reads the tombstone of a backup; without one the error matches
// fs.ErrNotExist.
func (r *Repository) readTombstone(ctx context.Context, name holdfast.BackupName) (*tombstone, error) {
	t := new(tombstone)
	data, err := readSmall(ctx, r.b, tombstoneKey(name))
	if err == nil {
		err = unseal(data, t)
	}
	if err == nil && t.Backup != name {
		err = &damage{"", errors.New("it belongs to another backup")}
	}
	if err != nil {
		return nil, &holdfast.Error{
			Op: "read", Object: tombstoneKey(name), Err: err,
			Hint: "the backup was deleted, but nothing of it is freed; delete it again, or remove this file to have it back",
		}
	}
	return t, nil
}

// isHidden tells whether a backup was deleted. Any tombstone counts, a damaged
// one too: it was never there without a wish to delete.
func (r *Repository) isHidden(ctx context.Context, name holdfast.BackupName) (bool, error) {
	obj, err := r.b.Open(ctx, tombstoneKey(name))
	switch {
	case err == nil:
		return true, obj.Close()
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, &holdfast.Error{Op: "read", Object: tombstoneKey(name), Err: err}
}

// hiddenNames gives the names of all backups with a tombstone.
func (r *Repository) hiddenNames(ctx context.Context) (map[holdfast.BackupName]bool, error) {
	names := map[holdfast.BackupName]bool{}
	for obj, err := range r.b.List(ctx, deletedDir) {
		if err != nil {
			return nil, &holdfast.Error{Op: "list deleted backups", Object: r.Location(), Err: err}
		}
		file, ok := strings.CutSuffix(strings.TrimPrefix(obj.Key, deletedDir), ".json")
		if name, err := holdfast.ParseBackupName(file); ok && err == nil {
			names[name] = true
		}
	}
	return names, nil
}

// deleted is the error for opening a hidden backup.
func deleted(name holdfast.BackupName) error {
	return &holdfast.Error{
		Op: "find backup", Object: string(name), Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such backup"),
		Hint: "it was deleted; only what other backups need of it is still stored",
	}
}

// Hidden is a deleted backup whose space is not free yet.
type Hidden struct {
	Name      holdfast.BackupName
	DeletedAt holdfast.Time // zero if Err is set
	// NeededBy are the backups that refer to it.
	NeededBy []holdfast.BackupName
	// Unreadable are backups of which nobody knows what they need; while
	// there are any, nothing is freed.
	Unreadable []holdfast.BackupName
	// Bytes is the space that it holds.
	Bytes int64
	// Err tells that the tombstone is damaged: then nothing of the backup is
	// freed until it is deleted again.
	Err error
}

// Hidden lists the deleted backups whose space is not free yet, by name.
func (r *Repository) Hidden(ctx context.Context) ([]Hidden, error) {
	names, err := r.hiddenNames(ctx)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	n, err := r.needs(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Hidden, 0, len(names))
	for name := range names {
		h := Hidden{Name: name, NeededBy: n.by[name], Unreadable: n.unreadable}
		t, err := r.readTombstone(ctx, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // freed since it was listed
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			h.Err = err
		default:
			h.DeletedAt = t.DeletedAt
		}
		if h.Bytes, err = r.treeBytes(ctx, name); err != nil {
			return nil, err
		}
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b Hidden) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return list, nil
}

// treeBytes sums what is stored for a backup. Without readable metadata its
// objects tell.
func (r *Repository) treeBytes(ctx context.Context, name holdfast.BackupName) (int64, error) {
	if m, err := readMarker(ctx, r.b, name); err == nil {
		return m.StoredBytes, nil
	}
	sum := int64(0)
	for obj, err := range r.b.List(ctx, string(name)+"/") {
		if err != nil {
			return 0, &holdfast.Error{Op: "list", Object: string(name), Err: err}
		}
		sum += obj.Size
	}
	return sum, nil
}

// needed tells which backups others cannot be read without.
type needed struct {
	by map[holdfast.BackupName][]holdfast.BackupName
	// unreadable are the backups whose metadata, and so whose needs, cannot
	// be read.
	unreadable []holdfast.BackupName
}

// needs collects what the backups that people can open need. What a hidden
// backup needs does not count, for nobody reads it as a whole any more; only one
// whose tombstone is damaged may come back, and counts.
func (r *Repository) needs(ctx context.Context) (needed, error) {
	n := needed{by: map[holdfast.BackupName][]holdfast.BackupName{}}
	hidden, err := r.hiddenNames(ctx)
	if err != nil {
		return n, err
	}
	late, err := r.readRecent(ctx)
	if err != nil {
		return n, err
	}
	// known is what was found out about one backup.
	type known struct {
		name       holdfast.BackupName
		needs      []holdfast.BackupName
		unreadable bool
	}
	all, err := each(ctx, r, r.names(ctx, late), func(ctx context.Context, name holdfast.BackupName) (known, error) {
		k := known{name: name}
		if hidden[name] {
			// A listing may still show the tombstone of an earlier backup
			// of this name.
			if _, err := r.readTombstone(ctx, name); err == nil {
				return k, nil
			}
		}
		m, err := readMarker(ctx, r.b, name)
		switch {
		case err == nil:
			k.needs = m.Needs
		case ctx.Err() != nil:
			return k, context.Cause(ctx)
		case !errors.Is(err, fs.ErrNotExist): // else it is no backup
			k.unreadable = true
		}
		return k, nil
	})
	if err != nil {
		return n, err
	}
	for _, k := range all {
		for _, on := range k.needs {
			n.by[on] = append(n.by[on], k.name)
		}
		if k.unreadable {
			n.unreadable = append(n.unreadable, k.name)
		}
	}
	return n, nil
}
