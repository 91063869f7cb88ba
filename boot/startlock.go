package boot

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/planted"
)

// lockSuffix names the file whose lock serialises the starts on one storage.
const lockSuffix = ".holdfast-boot.lock"

const (
	// startWait is how long another start is waited for: it may restore.
	startWait = 2 * time.Minute
	// lockPause is the time between two looks at its lock.
	lockPause = 25 * time.Millisecond
)

// exclusively runs fn while no other start on the same storage is between its
// decision about the data and the end of its migrations. The lock is the
// system's, so that a start that was killed keeps nobody waiting; the file stays.
func exclusively(ctx context.Context, path string, fn func() error) (err error) {
	if err := planted.Check(path); err != nil {
		return err // somebody else could hold it for ever
	}
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|planted.NoFollow), flock.SetPermissions(0o600))
	limited, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	switch ok, err := lock.TryLockContext(limited, lockPause); {
	case ok:
		defer func() { err = errors.Join(err, lock.Close()) }()
		return fn()
	case ctx.Err() != nil:
		return errors.Join(context.Cause(ctx), lock.Close())
	case limited.Err() != nil:
		return errors.Join(&holdfast.Error{
			Op: "lock", Object: path, Err: holdfast.Kindf(holdfast.ErrLocked, "another process has been preparing the database for %v", startWait),
			Hint: "wait until it has started, or end it",
		}, lock.Close())
	default:
		return errors.Join(&holdfast.Error{
			Op: "lock", Object: path, Err: err,
			Hint: "if the program ran as another user before, give its files to this one, or remove this one",
		}, lock.Close())
	}
}
