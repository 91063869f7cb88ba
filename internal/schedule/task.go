package schedule

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Attribute keys of the log.
const (
	keyTask     = "task"
	keyError    = "error"
	keyStack    = "stack"
	keyDuration = "duration"
)

// A task is a Task with what became of it. The runner's lock guards it.
type task struct {
	Task
	due       time.Duration // by the runner's clock: when the period is over; never, without one
	ticks     *Ticks
	triggered bool
	running   bool
	begun     time.Duration
	runs      int64
	failures  int64
	lastAt    *holdfast.Time
	last      time.Duration
	err       string
}

// never is a reading that no clock comes to.
const never = time.Duration(math.MaxInt64)

// begin plans the first run.
func (t *task) begin(c *Clock) {
	t.due, t.ticks = never, c.Ticks(t.Cron)
	if t.Every > 0 {
		t.due = c.Passed() + t.period()
	}
	if t.LastAt.IsZero() {
		return
	}
	t.ticks.Missed(t.LastAt)
	if t.Every > 0 { // a time to come is a clock that was wrong
		t.due = min(t.due, max(c.At(t.LastAt.Add(t.Every)), c.Passed()))
	}
}

// next is when it is due.
func (t *task) next() time.Duration {
	if at, ok := t.ticks.Next(); ok {
		return min(t.due, at)
	}
	return t.due
}

// ended plans the next run, after one that has ended now.
func (t *task) ended(now time.Duration) {
	t.ticks.Done(t.begun)
	if t.Every == 0 {
		return
	}
	// One that takes longer than its period rests for a period all the same.
	if t.due = t.begun + t.period(); t.due <= now {
		t.due = now + t.period()
	}
}

// period is the time to the next run.
func (t *task) period() time.Duration {
	jitter := t.Jitter
	if jitter == 0 {
		jitter = min(t.Every/10, time.Minute)
	}
	if jitter <= 0 {
		return t.Every
	}
	return t.Every + rand.N(jitter)
}

func (t *task) standing(c *Clock) holdfast.TaskStanding {
	s := holdfast.TaskStanding{
		Name: t.Name, EveryMS: t.Every.Milliseconds(), Running: t.running,
		Runs: t.runs, Failures: t.failures, LastAt: t.lastAt, LastMS: t.last.Milliseconds(), Error: t.err,
	}
	if next := t.next(); !t.running && next < never {
		s.NextAt = new(holdfast.At(c.Wall(next)))
	}
	return s
}

// run runs a task once.
func (r *Runner) run(ctx context.Context, t *task) {
	r.o.Changed()
	begun := holdfast.At(r.clock.Wall(t.begun))
	err := r.contained(ctx, t)
	// What was stopped has not failed.
	failed := err != nil && (ctx.Err() == nil || !errors.Is(err, context.Canceled))

	r.mu.Lock()
	now := r.clock.Passed()
	took := now - t.begun // which the next run may set as soon as the lock is free
	t.running = false
	t.runs++
	before := t.err
	t.lastAt, t.last, t.err = &begun, took, ""
	if err != nil {
		t.err = err.Error()
	}
	if failed {
		t.failures++
	}
	t.ended(now)
	r.mu.Unlock()
	switch {
	case failed && err.Error() == before: // said already, and in the standing
		r.o.Logger.Debug("task failed again", keyTask, t.Name, keyError, err, keyDuration, took)
	case failed:
		r.tellFailed(t.Name, err, took)
	case err == nil && before != "":
		r.o.Logger.Info("task works again", keyTask, t.Name, keyDuration, took)
	case err == nil:
		r.o.Logger.Debug("task done", keyTask, t.Name, keyDuration, took)
	}
	r.o.Changed()
	r.look()
}

// contained calls the task so that nothing but an error comes out of it.
func (r *Runner) contained(ctx context.Context, t *task) (err error) {
	if t.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, t.Timeout, fmt.Errorf("it took longer than %s: %w", t.Timeout, context.DeadlineExceeded))
		defer cancel()
	}
	done := make(chan error, 1)
	// Its own goroutine, because runtime.Goexit cannot be recovered from.
	go func() {
		returned := false
		var err error
		defer func() {
			if !returned {
				err = broken(recover())
			}
			done <- err
		}()
		err = t.Run(ctx)
		returned = true
	}()
	err = <-done
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// broken is the error of a run that did not return.
func broken(panicked any) error {
	if panicked == nil {
		return errors.New("it ended its goroutine")
	}
	return &panicError{value: panicked, stack: string(debug.Stack())}
}

// A panicError is what a panic of a task was about, and where it came from.
type panicError struct {
	value any
	stack string
}

// Error implements error.
func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// tellFailed logs a run that failed.
func (r *Runner) tellFailed(name string, err error, took time.Duration) {
	if p, ok := errors.AsType[*panicError](err); ok {
		r.o.Logger.Error("task panicked", keyTask, name, keyError, p.value, keyStack, p.stack, keyDuration, took)
		return
	}
	r.o.Logger.Warn("task failed", keyTask, name, keyError, err, keyDuration, took)
}
