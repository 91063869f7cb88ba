package cli

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// lockPatience is how long a guarded command waits for whoever is at work on the
// repository: a program in our care makes its own backups now and then.
const lockPatience = time.Minute

// patiently repeats work while another process holds the repository.
func patiently(ctx context.Context, u *ui, work func() error) error {
	until := time.Now().Add(lockPatience)
	for told := false; ; told = true {
		err := work()
		held, ok := errors.AsType[*holdfast.LockedError](err)
		if !ok || time.Now().After(until) {
			return err
		}
		if !told {
			u.note("note: waiting: %s", clean(held.Error()))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
