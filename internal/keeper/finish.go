package keeper

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
)

// errFinished ends what the loop does when there is no more time for it.
var errFinished = errors.New("the time to finish is over")

// Finish is the end of a daemon: the loop begins no further backup, and no proof. It
// returns when the backup that is being made has been made and copied. What has not
// come to its end when ctx does is cancelled, and the error says so; Run then still
// clears it away. Run goes on, idle, until its own context ends.
func (k *Keeper) Finish(ctx context.Context) error {
	k.mu.Lock()
	k.finishing = true
	hurryProof := k.hurryProof
	k.mu.Unlock()
	if hurryProof != nil {
		hurryProof()
	}
	err := k.tally.wait(ctx)
	if err == nil {
		return nil
	}
	k.mu.Lock()
	stop := k.stop
	k.mu.Unlock()
	if stop != nil {
		stop(errFinished)
	}
	return &holdfast.Error{
		Op: "finish", Err: holdfast.Kindf(context.Canceled, "a backup, or what follows one, was cut: %w", err),
		Hint: "nothing is half-done; the next start makes up for it. shutdown_timeout gives it more time",
	}
}

// Busy tells whether a backup is being made, followed or proven, other than by waiting
// for time to pass. It is for those who simulate time.
func (k *Keeper) Busy() bool { return k.tally.busy() }
