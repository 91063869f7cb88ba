package keeper

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A start of a daemon is no event of the data: it looks which backup is the newest
// and goes on with the schedule from there. What was missed meanwhile is made up for
// by one backup.

// resume finds out what a daemon has to do at its start.
func (k *Keeper) resume(ctx context.Context) {
	newest, err := k.newest(ctx)
	if ctx.Err() != nil {
		return
	}
	known := err == nil && newest.Metadata != nil
	if err != nil && !errors.Is(err, holdfast.ErrNotFound) {
		k.log.Debug("the newest backup is not known", keyError, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if known {
		k.last = &newest
	}
	switch {
	case !known && k.byItself():
		k.owed = holdfast.TriggerScheduled
	case !known:
	case k.catchUp(newest):
	case k.watch.within > 0:
		k.owed = holdfast.TriggerChange // what changed while nobody looked
	}
}

// byItself tells whether the configuration wants backups that nobody asks for.
func (k *Keeper) byItself() bool {
	s := k.o.Config.Schedule
	return s.Every > 0 || len(s.Cron) > 0 || k.watch.within > 0
}

// catchUp goes on with the schedule after a backup, under the lock. It tells whether
// a backup is due now.
func (k *Keeper) catchUp(newest repo.Info) (missed bool) {
	now, made := k.clock.Passed(), newest.Metadata.CreatedAt.Time
	k.ticks.Missed(made)
	if every := k.o.Config.Schedule.Every; every > 0 {
		// One that was made in times to come tells of a clock that was wrong.
		k.next = max(min(k.clock.At(made), now)+every, now, 1)
	}
	next, ok := k.nextScheduled()
	return ok && next <= now
}

// newestBackup looks which backup is the newest. That it cannot be told in time
// changes nothing.
func (k *Keeper) newestBackup(ctx context.Context) (repo.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	r, err := k.Repository(ctx)
	if err != nil {
		return repo.Info{}, err
	}
	return r.Stat(ctx, "latest")
}
