package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// reachWithin is how long the repository of a new configuration may take to answer.
const reachWithin = 15 * time.Second

// reload reads the configuration again, and lets it take the place of the old one if it can be
// used. ctx is that of the check, work that of what runs afterwards.
func (d *daemon) reload(ctx, work context.Context) {
	d.manager.reloading()
	defer func() { d.manager.ready(d.sentence()) }()
	if err := d.exchange(ctx, work); err != nil {
		d.log.Error("the configuration was not changed: the new one cannot be used", keyError, err, keyHint, holdfast.HintOf(err))
		return
	}
	d.log.Info("the configuration was changed")
	d.o.Listening(d.doors.serving())
}

// exchange is reload without a word. Until the doors are swapped nothing has happened.
func (d *daemon) exchange(ctx, work context.Context) error {
	c, err := d.o.Load()
	if err != nil {
		return err
	}
	old := d.core.Load()
	if err := d.sameHome(old.config, c); err != nil {
		return err
	}
	next, err := d.newCore(c)
	if err != nil {
		return err
	}
	if err := next.mayBegin(ctx); err != nil {
		return err
	}
	board, err := d.newBoard(next)
	if err != nil {
		return err
	}
	d.access.Reconfigure(c)
	set, err := d.bind(ctx, next)
	if err != nil {
		d.access.Reconfigure(old.config)
		return err
	}
	d.o.Configured(c)
	d.core.Store(next)
	d.history.Follow(scheduleOf(c))
	d.board.Store(board)
	old.endPanel() // one at a time fetches what people write
	next.start(work)
	unused := d.doors.swap(set)
	// What the old core has at work comes to its end there, and so do requests at doors
	// that are closed.
	d.old.Go(func() {
		closing, cancel := context.WithTimeout(work, drainWithin)
		defer cancel()
		unused.close(closing)
	})
	d.old.Go(func() { old.stop(work) })
	return nil
}

// sameHome refuses what cannot be changed while the daemon runs: its lock and its records
// lie there.
func (d *daemon) sameHome(old, c *config.Config) error {
	const hint = "stop the daemon and start it again with the new configuration"
	if wire.Location(old.Repository) != wire.Location(c.Repository) {
		return &holdfast.Error{Op: "reload", Err: holdfast.Kindf(holdfast.ErrRefused, "the repository would move from %s to %s, which takes a restart", wire.Location(old.Repository), wire.Location(c.Repository)), Hint: hint}
	}
	state, err := wire.StateDir(c)
	if err != nil {
		return err
	}
	if state != d.state {
		return &holdfast.Error{Op: "reload", Err: holdfast.Kindf(holdfast.ErrRefused, "the state directory would move from %s to %s, which takes a restart", d.state, state), Hint: hint}
	}
	return nil
}

// mayBegin tells whether a core that is to take the place of another one can work: the
// repository answers with the new settings, as far as it answers at all.
func (c *core) mayBegin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	_, err := c.keeper.Repository(ctx)
	if errors.Is(err, holdfast.ErrNotFound) || err == nil {
		return nil
	}
	if c.d.core.Load().reachable() != nil {
		return nil // it cannot be reached by the old settings either
	}
	return err
}
