package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// settle brings to an end what an earlier life left: a restore that was cut, jobs that
// were at work, copies in the scratch space. Only another daemon that serves the
// repository keeps this one from starting; a repository that cannot be asked
// does not.
func (d *daemon) settle(ctx context.Context, c *core) error {
	r, err := c.keeper.Repository(ctx)
	switch {
	case err == nil && d.claim != nil:
		if err := d.claim.renew(ctx, r); err != nil {
			d.failed("it is not known whether another machine serves the repository", err)
		}
		if other := d.claim.standby(); other != "" {
			_ = d.claim.end(ctx, r) // the record runs out otherwise
			return &holdfast.Error{
				Op: "serve", Object: wire.Location(c.config.Repository), Err: holdfast.Kindf(holdfast.ErrLocked, "%s serves it", other),
				Hint: "one daemon serves a repository; what a daemon left that was killed runs out within two minutes",
			}
		}
	case errors.Is(err, holdfast.ErrUsage):
		return err
	case err != nil && !errors.Is(err, holdfast.ErrNotFound):
		c.contact = err
		d.failed("the repository cannot be used; it is tried again", err)
	}
	d.recover(ctx, c)
	d.clean(c)
	return d.jobs.Settle(ctx, d.whatBecame)
}

// recover finishes or undoes a restore that was cut, and tells what it did.
func (d *daemon) recover(ctx context.Context, c *core) {
	look, err := c.lookout.Engine(nil)
	if err == nil {
		var cut *engine.Pending
		if cut, err = look.Pending(); err == nil && cut == nil {
			c.operations.SetRecovered(&engine.RecoverResult{}) // which tells of a job whose journal has gone
			return
		}
	}
	if err != nil {
		d.failed("whether a restore was cut cannot be told", err)
		return
	}
	result, err := c.keeper.Recover(ctx)
	if err != nil {
		d.failed("a restore was cut, which is not settled yet; backups and restores settle it first", err)
		return
	}
	c.operations.SetRecovered(result)
	if result != nil && result.Found {
		d.log.Warn("a restore had been cut", keyOutcome, result.Detail)
		for _, p := range result.Problems {
			d.log.Warn(p.Message, keyObject, p.Object, keyHint, p.Hint)
		}
	}
}

// strayAge is how old an unfinished file must be to be nobody's.
const strayAge = time.Hour

// clean removes what an earlier life left unfinished: the scratch copy of a drill, files
// that were being written. What cannot be removed harms nothing.
func (d *daemon) clean(c *core) {
	if e, err := c.lookout.Engine(nil); err == nil {
		if err := e.ClearScratch(); err != nil {
			d.failed("the scratch copy of a drill that was cut could not be removed", err)
		}
	}
	// What only a daemon writes, nobody is at now: it has the state directory alone.
	if _, err := durable.CleanTemps(durable.OS, d.state, memoFile, alarmsFile); err != nil {
		d.log.Debug("unfinished files could not be removed", keyObject, d.state, keyError, err)
	}
	entries, err := os.ReadDir(d.state)
	if err != nil {
		return // told by whoever writes there
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !durable.IsTemp(e.Name()) || time.Since(info.ModTime()) < strayAge {
			continue
		}
		if err := durable.OS.RemoveAll(filepath.Join(d.state, e.Name())); err != nil {
			d.log.Debug("an unfinished file could not be removed", keyObject, e.Name(), keyError, err)
		}
	}
}

// whatBecame judges a job that an earlier life left.
func (d *daemon) whatBecame(ctx context.Context, j job.Job) job.Verdict {
	return d.core.Load().operations.Settle(ctx, j)
}

// keepClaim renews the claim, and looks whether another daemon serves the repository.
func (d *daemon) keepClaim(ctx context.Context) {
	if d.claim == nil {
		return
	}
	tick := time.NewTicker(claimEvery) // others judge it by the real time
	defer tick.Stop()
	var told string
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		c := d.core.Load()
		r, err := c.keeper.Repository(ctx)
		if err == nil {
			err = d.claim.renew(ctx, r)
		}
		if err != nil {
			d.log.Debug("the claim on the repository could not be renewed", keyError, err)
			continue
		}
		switch other := d.claim.standby(); {
		case other == told:
		case other != "":
			told = other
			d.log.Error("another daemon serves the repository: this one makes no backups", keyHolder, other)
		default:
			told = ""
			d.log.Info("no other daemon serves the repository any more")
		}
	}
}
