package access

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
)

const (
	// lockPatience is how long a writer waits for another one, which needs
	// milliseconds.
	lockPatience = 10 * time.Second
	lockPause    = 10 * time.Millisecond
)

// lockFile takes the lock of a file in the state directory, which it makes if it
// is not there. The lock file stays: what is never removed cannot be held by two.
func lockFile(name string, patience time.Duration) (release func(), err error) {
	if err := durable.MkdirAll(durable.OS, filepath.Dir(name), 0o700); err != nil {
		return nil, &holdfast.Error{Op: "state directory", Object: filepath.Dir(name), Err: err}
	}
	if err := planted.Check(name); err != nil {
		return nil, err
	}
	lock := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDWR|planted.NoFollow), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err == nil && !locked && patience > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if locked, err = lock.TryLockContext(ctx, lockPause); errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
	}
	if err == nil && !locked {
		err = holdfast.Kindf(holdfast.ErrLocked, "another process is changing it")
	}
	if err != nil {
		return nil, &holdfast.Error{Op: "lock", Object: name, Err: errors.Join(err, lock.Close())}
	}
	return func() { _ = lock.Close() }, nil // the system frees it at the latest when we end
}
