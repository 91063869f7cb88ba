package startup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/planted"
)

// lockPause is the time between two looks at a lock that another process holds.
const lockPause = 20 * time.Millisecond

// exclusively runs fn while no other process that starts on the same data does,
// waiting for it until the deadline. The lock is a file beside the data, which is
// removed afterwards. Where none can be had (no locks, no room, no permission, a
// file of another user in its place) fn runs without: what it does then tells better
// what is wrong with the place.
func exclusively(ctx context.Context, target string, deadline time.Time, fn func() error) error {
	name := filepath.Join(filepath.Dir(target), ".holdfast-start-"+filepath.Base(target)+".lock")
	for {
		release, busy := tryLock(name)
		if !busy {
			defer release()
			return fn()
		}
		if time.Now().After(deadline) {
			return &holdfast.Error{
				Op: "start with", Object: target, Err: holdfast.Kindf(holdfast.ErrLocked, "another process is preparing it, and has been for long"),
				Hint: "wait until it has started, or end it",
			}
		}
		if err := pause(ctx, lockPause); err != nil {
			return err
		}
	}
}

// tryLock takes the lock, or tells that somebody else has it.
func tryLock(name string) (release func(), busy bool) {
	if planted.Check(name) != nil {
		return func() {}, false // somebody else could hold it for ever
	}
	lock := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDWR|planted.NoFollow), flock.SetPermissions(0o600))
	free := func() { _ = lock.Close() } // the system frees it at the latest when we end
	ok, err := lock.TryLock()
	if err == nil && !ok {
		free()
		return nil, true
	}
	if err != nil {
		return free, false
	}
	// Whoever had it before may have removed the file meanwhile: a lock on a
	// file without a name keeps nobody out.
	mine, err := lock.Stat()
	now, nerr := os.Lstat(name)
	if err == nil && (errors.Is(nerr, fs.ErrNotExist) || nerr == nil && !os.SameFile(mine, now)) {
		free()
		return nil, true
	}
	return func() {
		// First the name, then the lock: the next one makes a new file. A file
		// that stays behind is taken by the next start.
		_ = os.Remove(name)
		free()
	}, false
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
