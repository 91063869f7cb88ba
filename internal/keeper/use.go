package keeper

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// With lets a verb that writes to the repository have its turn: no backup of this
// keeper is made meanwhile. A repository that another process uses is waited for, up
// to a minute. What only reads, or adds a proof, needs no turn: see Engine.
func (k *Keeper) With(ctx context.Context, verb func(*engine.Engine) error) error {
	if err := k.work.take(ctx); err != nil {
		return err
	}
	defer k.work.pass()
	k.tally.begin()
	defer k.tally.end()
	e, err := k.Engine(ctx)
	if err != nil {
		return err
	}
	defer k.Refresh(ctx)
	return k.patiently(ctx, lockWait, func() error { return verb(e) })
}

// Refresh looks at the newest backup again, after somebody may have removed or proven
// it: what is gone or damaged saves nothing. With does so by itself.
func (k *Keeper) Refresh(ctx context.Context) {
	newest, err := k.newest(ctx)
	none := errors.Is(err, holdfast.ErrNotFound)
	if err != nil && !none {
		k.log.Debug("the newest backup is not known", keyError, err)
		return
	}
	k.mu.Lock()
	known := k.last
	if known == nil || known.Metadata == nil || k.running != nil {
		k.mu.Unlock()
		return // the next backup finds out
	}
	removed := none || newest.Metadata == nil || newest.Name != known.Name && !newest.Metadata.CreatedAt.After(known.Metadata.CreatedAt.Time)
	spoiled := !removed && newest.Disproven() && !known.Disproven()
	if k.last = &newest; none {
		k.last = nil
	}
	if removed {
		k.lastAttempt, k.lastChecked = nil, time.Time{}
		k.beginAnew()
	}
	k.mu.Unlock()
	switch {
	case spoiled:
		k.disproven()
	case removed:
		k.look()
	}
	k.o.Changed()
}
