package repo

import (
	"context"
	"errors"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
)

// Known gives one backup by its exact name, and tells whether it is hidden: one
// that was deleted, but is stored because others need it. ErrNotFound if nothing
// of that name is stored.
func (r *Repository) Known(ctx context.Context, name holdfast.BackupName) (info Info, hidden bool, err error) {
	if _, err := holdfast.ParseBackupName(string(name)); err != nil {
		return Info{}, false, err
	}
	if hidden, err = r.isHidden(ctx, name); err != nil {
		return Info{}, false, err
	}
	info, err = r.read(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		err = r.notFound(ctx, string(name))
	}
	return info, hidden, err
}
