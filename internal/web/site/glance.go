package site

import (
	"context"
	"time"

	"github.com/holdfast-backup/holdfast/internal/report"
)

// lookLimit bounds a look at the status that no visit waits for any more.
const lookLimit = 30 * time.Second

// Glance waits so long for a look at the status; nil and nil: it goes on, and the next visit
// may find it done. It does not end with the visit, as others wait for the same one.
func (v *Visit) Glance(wait time.Duration) (*report.Status, error) {
	return glance(v.Context(), v.Core.Glance, wait)
}

// glance looks in the background, so that a slow look holds up nobody.
func glance(ctx context.Context, look func(context.Context) (report.Status, error), wait time.Duration) (*report.Status, error) {
	type outcome struct {
		status report.Status
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookLimit)
		defer cancel()
		status, err := look(ctx)
		done <- outcome{status, err}
	}()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, o.err
		}
		return &o.status, nil
	case <-timer.C:
		return nil, nil //nolint:nilnil // neither is known yet
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
