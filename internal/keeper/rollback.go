package keeper

import (
	"context"

	"github.com/holdfast-backup/holdfast/engine"
)

// Rollback undoes the last restore through the engine, as Restore restores.
func (k *Keeper) Rollback(ctx context.Context) (*engine.RestoreResult, error) {
	if err := k.work.take(ctx); err != nil {
		return nil, err
	}
	defer k.work.pass()
	e, err := k.Engine(ctx)
	if err != nil {
		return nil, err
	}
	defer k.anew()
	var result *engine.RestoreResult
	err = k.patiently(ctx, lockWait, func() (err error) {
		result, err = e.Rollback(ctx)
		return err
	})
	return result, err
}
