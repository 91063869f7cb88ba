package keeper

import (
	"context"

	"github.com/holdfast-backup/holdfast/engine"
)

// Restore restores through the engine, with the owner let go of the sources. No
// backup is made meanwhile but the engine's own, and what is there afterwards is
// watched and backed up anew. The owner must not ask this keeper for a backup while
// it lets go.
func (k *Keeper) Restore(ctx context.Context, req engine.RestoreRequest) (*engine.RestoreResult, error) {
	return k.replace(ctx, req.To == "", func(e *engine.Engine) (*engine.RestoreResult, error) { return e.Restore(ctx, req) })
}

// Rollback undoes the last restore, as Restore restores.
func (k *Keeper) Rollback(ctx context.Context) (*engine.RestoreResult, error) {
	return k.replace(ctx, true, func(e *engine.Engine) (*engine.RestoreResult, error) { return e.Rollback(ctx) })
}

// Recover finishes or undoes a restore that was cut, in its turn. What is there afterwards is
// watched and backed up anew.
func (k *Keeper) Recover(ctx context.Context) (result *engine.RecoverResult, err error) {
	err = k.With(ctx, func(e *engine.Engine) (err error) {
		result, err = e.Recover(ctx)
		return err
	})
	if result != nil && result.Found {
		k.anew()
	}
	return result, err
}

// replace does what replaces the sources, or live is false, in its turn.
func (k *Keeper) replace(ctx context.Context, live bool, verb func(*engine.Engine) (*engine.RestoreResult, error)) (result *engine.RestoreResult, err error) {
	if err := k.work.take(ctx); err != nil {
		return nil, err
	}
	defer k.work.pass()
	k.tally.begin()
	defer k.tally.end()
	e, err := k.Engine(ctx)
	if err != nil {
		return nil, err
	}
	if live {
		defer k.anew()
	}
	_ = k.patiently(ctx, lockWait, func() error {
		result, err = verb(e)
		if result != nil && (result.Plan != nil || len(result.Restored) > 0 || result.RolledBack) {
			return nil // it was begun: what became of it stands
		}
		return err
	})
	return result, err
}

// anew begins to watch anew, and owes a backup, also where the schedule has none after
// changes: what somebody brought back is what the newest backup has to hold. A start that
// finds the data lost restores the newest, and so does whoever restores latest; that must
// not be the state that was replaced. Nothing is stored if it has that already.
func (k *Keeper) anew() {
	k.mu.Lock()
	k.beginAnew()
	k.mu.Unlock()
	k.look()
	k.o.Changed()
}
