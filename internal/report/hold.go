package report

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// Hold tells why nothing is pruned.
type Hold struct {
	Since   *holdfast.Time      `json:"since,omitempty"`
	Backup  holdfast.BackupName `json:"backup,omitempty"`
	Shrunk  []repo.Shrink       `json:"shrunk"`
	Message string              `json:"message"`
}

// HintHold is what to do about a hold.
const HintHold = "if the newest backup is right, `holdfast prune --confirm` says so and goes on; if not, restore an older one"

// HoldOn looks for a hold on a repository; nil if there is none. One whose note
// cannot be read is one, too.
func HoldOn(ctx context.Context, r *repo.Repository) (*Hold, error) {
	hold, err := r.Hold(ctx)
	switch {
	case errors.Is(err, holdfast.ErrDamaged), errors.Is(err, holdfast.ErrRefused):
		return &Hold{Shrunk: []repo.Shrink{}, Message: "nobody knows why: " + Text(err)}, nil
	case err != nil || hold == nil:
		return nil, err
	}
	return &Hold{Since: &hold.Since, Backup: hold.Backup, Shrunk: hold.Shrunk, Message: engine.ExplainHold(hold)}, nil
}
