package keeper

import (
	"context"

	"github.com/holdfast-backup/holdfast/engine"
)

// Restore restores through the engine, with the owner let go of the sources. No
// backup is made meanwhile but the engine's own, and what is there afterwards is
// watched and backed up anew. The owner must not ask this keeper for a backup while
// it is stopped.
func (k *Keeper) Restore(ctx context.Context, req engine.RestoreRequest) (*engine.RestoreResult, error) {
	if err := k.work.take(ctx); err != nil {
		return nil, err
	}
	defer k.work.pass()
	e, err := k.Engine(ctx)
	if err != nil {
		return nil, err
	}
	if req.To == "" {
		defer k.anew()
	}
	var result *engine.RestoreResult
	var failed error
	_ = k.patiently(ctx, lockWait, func() error {
		result, failed = e.Restore(ctx, req)
		if result != nil && result.Plan != nil {
			return nil // it was begun: what became of it stands
		}
		return failed
	})
	return result, failed
}

// anew begins to watch anew.
func (k *Keeper) anew() {
	k.mu.Lock()
	k.beginAnew()
	k.mu.Unlock()
	k.look()
	k.o.Changed()
}
