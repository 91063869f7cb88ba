package daemon

import (
	"context"
	"errors"
	"time"
)

// errStopping is why nothing new is begun.
var errStopping = errors.New("the daemon is shutting down")

// How long what was cancelled may take to roll back, and requests to be answered, after
// the time that the configuration gives.
const (
	rollBackWithin = 15 * time.Second
	answerWithin   = 2 * time.Second
	leaveWithin    = 500 * time.Millisecond // by whom nobody waits for any more
)

// stop finishes what is at work within shutdown_timeout, and rolls back what lasts
// longer. It does not wait once ctx has ended. kill ends everything that runs.
func (d *daemon) stop(ctx context.Context, kill context.CancelFunc) {
	d.manager.stopping()
	close(d.closing)
	c := d.core.Load()
	limit := c.config.Schedule.ShutdownTimeout
	d.log.Info("stopping: what is at work has its time", "shutdown_timeout", limit)
	finish, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	left := make(chan struct{})
	go func() {
		defer close(left)
		closed := make(chan struct{})
		go func() { // no new requests at once; those that wait for work wait for its end
			defer close(closed)
			end, cancel := context.WithTimeout(ctx, limit+answerWithin)
			defer cancel()
			d.doors.close(end)
		}()
		c.endTasks()
		d.jobs.Close(finish)
		c.stop(finish)
		kill()
		d.old.Wait()
		<-closed
	}()
	select {
	case <-left:
		d.unclaim(c)
		d.log.Info("stopped")
		return
	case <-after(ctx, limit+rollBackWithin):
	}
	kill()
	select {
	case <-left:
	case <-time.After(leaveWithin):
		d.log.Error("what is at work was left; the next start settles it")
	}
}

// after is time.After that a context ends.
func after(ctx context.Context, wait time.Duration) <-chan struct{} {
	bounded, cancel := context.WithTimeout(ctx, wait)
	context.AfterFunc(bounded, cancel)
	return bounded.Done()
}

// unclaim lets another daemon serve the repository at once.
func (d *daemon) unclaim(c *core) {
	if d.claim == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	r, err := c.keeper.Repository(ctx)
	if err == nil {
		err = d.claim.end(ctx, r)
	}
	if err != nil {
		d.log.Debug("the claim on the repository could not be removed; it runs out", keyError, err)
	}
}
