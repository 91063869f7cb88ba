package control

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// lockPatience is how long a lock is waited for that somebody who is gone held.
const lockPatience = time.Minute

// Patiently does what needs the repository to itself after somebody is gone: the system
// ends his connection first and takes his lock back a moment later, and another program
// may have it meanwhile.
func Patiently(ctx context.Context, do func(context.Context) error) error {
	begun := time.Now()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := do(ctx)
		if !errors.Is(err, holdfast.ErrLocked) || time.Since(begun) > lockPatience {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}
