package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/control"
	"github.com/holdfast-backup/holdfast/internal/lookout"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// How long a look may take, and somebody who asks waits for a repository that does not
// answer: what talks to a bucket tries again for minutes.
const (
	lookWithin = time.Minute
	askWithin  = 20 * time.Second
)

// A judgement is what was last found about everything.
type judgement struct {
	of     *core
	at     time.Time
	status report.Status
	err    error
	seen   lookout.Seen
}

// status judges how safe the data is, as `holdfast status` does.
func (c *core) status(ctx context.Context) (report.Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askWithin, lookout.ErrSlow)
	defer cancel()
	return c.glance.get(ctx)
}

// recentStatus is status for pages: it does not read every backup for them.
func (c *core) recentStatus(ctx context.Context) (report.Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askWithin, lookout.ErrSlow)
	defer cancel()
	return c.recent.get(ctx)
}

// programs are those that run in holdfast's care. Who does not answer is shown as it was
// last.
func (d *daemon) programs(ctx context.Context) []holdfast.Standing {
	programs, _ := control.Standings(ctx, d.state)
	return programs
}

// reachable tells why the repository cannot be used, as far as that is known.
func (c *core) reachable() error {
	found, saved := c.d.judged.Load(), c.keeper.LastSuccess()
	if found == nil || found.of != c {
		if saved.After(c.d.began) {
			return nil
		}
		return c.contact
	}
	if saved.After(found.at) {
		return nil // a backup was made there since it was looked at
	}
	if found.err != nil {
		return found.err
	}
	if why := found.status.Repository.Error; why != "" {
		return &holdfast.Error{Op: "reach repository", Object: found.status.Repository.Location, Err: errors.New(why)}
	}
	return nil
}

// watch judges whether something is wrong, and tells those who want to know.
func (c *core) watch(ctx context.Context) error {
	c.d.pulses.beat(loopTasks)
	if c.idle() {
		return nil
	}
	if last := c.d.judged.Load(); last != nil && last.of == c && !c.lookout.Stale(last.seen) {
		return c.update(ctx, *last)
	}
	look, cancel := context.WithTimeoutCause(ctx, lookWithin, lookout.ErrSlow)
	defer cancel()
	status, err := c.lookout.Look(look, false, nil)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil && look.Err() != nil {
		err = context.Cause(look)
	}
	found := judgement{of: c, at: c.d.o.Now(), status: status, err: err, seen: c.lookout.See(err)}
	c.d.judged.Store(&found)
	c.d.manager.status(c.d.sentence())
	return errors.Join(err, c.update(ctx, found))
}

// update brings the alarms up to date.
func (c *core) update(ctx context.Context, found judgement) error {
	if found.err != nil {
		return nil //nolint:nilerr // the task tells it; alarms stand as they are
	}
	backups, _, err := c.book.Backups(ctx)
	if ctx.Err() != nil {
		return nil
	}
	c.chronicle(found, backups)
	facts := c.lookout.Facts(found.status, backups, err, c.d.began)
	c.d.board.Load().Update(ctx, alarm.Judge(facts))
	return nil
}

// sentence says in one how everything stands, for the service manager.
func (d *daemon) sentence() string {
	if other := d.claim.standby(); other != "" {
		return "standing by: " + other + " serves the repository"
	}
	if found := d.judged.Load(); found != nil && found.err == nil {
		return found.status.Message
	}
	return "serving " + wire.Location(d.core.Load().config.Repository)
}
