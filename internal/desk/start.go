package desk

import (
	"context"
	"log/slog"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/panel"
)

// startAgain is the pause before those are told of a start once more who could not be.
const startAgain = time.Minute

// TellStart tells every admin what a start found, if that is worth telling, for as long
// as it takes to reach them or until ctx ends.
func TellStart(ctx context.Context, p *panel.Panel, admins []int64, standing holdfast.Standing, log *slog.Logger) {
	for waiting := admins; ; {
		var left []int64
		for _, admin := range waiting {
			if err := p.TellTo(ctx, admin, panel.Notice{Start: &standing}); err != nil && ctx.Err() == nil {
				log.Warn("an admin could not be told of the start", "admin", admin, "error", err, "hint", holdfast.HintOf(err))
				if holdfast.CauseOf(err) == holdfast.CauseUnreachable {
					left = append(left, admin)
				}
			}
		}
		if waiting = left; len(waiting) == 0 {
			return
		}
		select {
		case <-time.After(startAgain):
		case <-ctx.Done():
			return
		}
	}
}
