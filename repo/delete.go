package repo

import (
	"context"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// Delete removes a backup: at once invisible, then its objects. A backup that
// others need is refused.
func (r *Repository) Delete(ctx context.Context, name holdfast.BackupName) error {
	if _, err := r.info(ctx, name); err != nil {
		return err
	}
	list, err := r.List(ctx)
	if err != nil {
		return err
	}
	var needing []string
	for _, other := range list {
		if other.Metadata != nil && slices.Contains(other.Metadata.Needs, name) {
			needing = append(needing, string(other.Name))
		}
	}
	if len(needing) > 0 {
		return &holdfast.Error{
			Op: "delete", Object: string(name),
			Err:  holdfast.Kindf(holdfast.ErrRefused, "%s cannot be read without it", strings.Join(needing, ", ")),
			Hint: "delete those first, or let them age",
		}
	}
	if err := r.b.RemoveTree(ctx, string(name), holdfast.MetadataFile); err != nil {
		return &holdfast.Error{Op: "delete", Object: string(name), Err: err}
	}
	// The state goes last: without its backup it means nothing, and the
	// next backup of this name starts with what Create leaves.
	if err := r.b.Delete(ctx, stateKey(name)); err != nil {
		return &holdfast.Error{Op: "delete", Object: stateKey(name), Err: err}
	}
	return nil
}
