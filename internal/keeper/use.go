package keeper

import (
	"context"

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
	return k.patiently(ctx, lockWait, func() error { return verb(e) })
}
