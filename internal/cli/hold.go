package cli

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// holdItem tells why nothing is pruned.
type holdItem struct {
	Since   *holdfast.Time      `json:"since,omitempty"`
	Backup  holdfast.BackupName `json:"backup,omitempty"`
	Shrunk  []repo.Shrink       `json:"shrunk"`
	Message string              `json:"message"`
}

// hintHold is what to do about a hold.
const hintHold = "if the newest backup is right, `holdfast prune --confirm` says so and goes on; if not, restore an older one"

// holdOn looks for a hold on a repository; nil if there is none. One whose note
// cannot be read is one, too.
func holdOn(ctx context.Context, r *repo.Repository) (*holdItem, error) {
	hold, err := r.Hold(ctx)
	switch {
	case errors.Is(err, holdfast.ErrDamaged), errors.Is(err, holdfast.ErrRefused):
		return &holdItem{Shrunk: []repo.Shrink{}, Message: "nobody knows why: " + errorText(err)}, nil
	case err != nil || hold == nil:
		return nil, err
	}
	return &holdItem{Since: &hold.Since, Backup: hold.Backup, Shrunk: hold.Shrunk, Message: engine.ExplainHold(hold)}, nil
}

// text says in a line that pruning is on hold, since when, and why.
func (h *holdItem) text() string {
	since := ""
	if h.Since != nil {
		since = " since " + moment(h.Since.Time)
	}
	return "on hold" + since + ": " + h.Message
}

// printHold tells people of a hold and how it ends.
func (u *ui) printHold(h *holdItem) {
	if h != nil {
		u.print("%s\n%s %s\n", u.outPaint.yellow("Pruning is "+clean(h.text())+"."), u.outPaint.bold("hint:"), hintHold)
	}
}
