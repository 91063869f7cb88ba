package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// Attribute keys of the log.
const (
	keyOp       = "op"
	keyOpID     = "op_id"
	keyBackup   = "backup"
	keySource   = "source"
	keyStep     = "step"
	keyForm     = "form"
	keyObject   = "object"
	keySeverity = "severity"
	keyDuration = "duration"
	keyError    = "error"
)

// A run is one verb at work: it tells observer and log what happens.
type run struct {
	e      *Engine
	op     string
	id     string
	begun  time.Time
	log    *slog.Logger
	asked  holdfast.Observer   // of the context that asks for the verb
	backup holdfast.BackupName // as soon as it is known
	// settled tells of a restore that was cut before, and what became of it.
	settled []holdfast.Problem
}

// start begins a verb: under the id of the operation that it is part of, or one of
// its own.
func (e *Engine) start(ctx context.Context, op string) *run {
	id := cmp.Or(holdfast.OperationOf(ctx), rand.Text()[:8])
	return &run{
		e: e, op: op, id: id, begun: e.o.Now(), asked: holdfast.ObserverOf(ctx),
		log: e.o.Logger.With(keyOp, op, keyOpID, id),
	}
}

func (r *run) send(ev holdfast.Event) {
	ev.Op, ev.Time = r.op, r.e.o.Now()
	if ev.Backup == "" {
		ev.Backup = r.backup
	}
	r.e.o.Observer.Send(ev)
	r.asked.Send(ev)
}

// step runs fn as one step of the verb. fn may give a sentence for people.
func (r *run) step(ctx context.Context, step holdfast.Step, fn func(ctx context.Context) (string, error)) error {
	return r.stepOf(ctx, step, "", fn)
}

// stepOf is step for one source.
func (r *run) stepOf(ctx context.Context, step holdfast.Step, source string, fn func(ctx context.Context) (string, error)) error {
	r.send(holdfast.Event{Step: step, State: holdfast.Started, Source: source})
	if err := ctx.Err(); err != nil {
		r.send(holdfast.Event{Step: step, State: holdfast.Failed, Source: source, Message: err.Error()})
		return context.Cause(ctx)
	}
	begun := time.Now()
	message, err := fn(ctx)
	if err != nil {
		r.send(holdfast.Event{Step: step, State: holdfast.Failed, Source: source, Message: err.Error()})
		r.log.Info("step failed", keyStep, step, keySource, source, keyError, err)
		return err
	}
	r.send(holdfast.Event{Step: step, State: holdfast.Finished, Source: source, Message: message})
	r.log.Info("step finished", keyStep, step, keySource, source, keyDuration, time.Since(begun), keyBackup, r.backup)
	return nil
}

// skip tells that a step is not needed, and why.
func (r *run) skip(step holdfast.Step, why string) {
	r.send(holdfast.Event{Step: step, State: holdfast.Skipped, Message: why})
	r.log.Info("step skipped", keyStep, step, "why", why)
}

// problem logs p and gives it back.
func (r *run) problem(p holdfast.Problem) holdfast.Problem {
	r.log.Warn("problem", keySource, p.Source, keyObject, p.Object, keySeverity, p.Severity, "message", p.Message)
	return p
}

// progressEvery bounds how often progress is told.
const progressEvery = 100 * time.Millisecond

// progress gives a function that tells the progress of a step, not too often.
// It may be called from several goroutines.
func (r *run) progress(step holdfast.Step, source string) func(path string, done, total int64) {
	var mu sync.Mutex
	var last time.Time
	return func(path string, done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(last) < progressEvery && done != total {
			return
		} else {
			last = now
		}
		r.send(holdfast.Event{Step: step, State: holdfast.Progress, Source: source, Path: path, Done: done, Total: total})
	}
}

// errLeaseLost stops a verb whose right to write has gone to another process.
var errLeaseLost = holdfast.Kindf(holdfast.ErrLocked, "the lock of the repository was lost")

// locked runs fn under the writer's lease and after what a cut restore left
// behind has been finished or undone. A lost lease cancels fn's context.
func (r *run) locked(ctx context.Context, fn func(ctx context.Context) error) error {
	rp, err := r.e.repository()
	if err != nil {
		return err
	}
	return r.underLease(ctx, rp.Lock, func(ctx context.Context) error {
		found, err := r.recover(ctx)
		if cut, ok := errors.AsType[*unsettledError](err); ok && ctx.Err() == nil {
			r.settled = []holdfast.Problem{r.problem(holdfast.Problem{Severity: holdfast.Warning, Message: cut.Error(), Hint: holdfast.HintOf(cut.err)})}
			return fn(ctx)
		}
		if err != nil {
			return err
		}
		if found.Found {
			r.settled = append([]holdfast.Problem{{Severity: holdfast.Warning, Message: "an unfinished restore was found: " + found.Detail}}, found.Problems...)
		}
		return fn(ctx)
	})
}

func (r *run) underLease(ctx context.Context, lock func(context.Context, string) (bucket.Lease, error), fn func(ctx context.Context) error) (err error) {
	lease, err := lock(ctx, r.op)
	if err != nil {
		return err
	}
	defer func() {
		if rerr := lease.Release(); rerr != nil && err == nil {
			r.log.Warn("the lock could not be released", keyError, rerr)
		}
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-lease.Lost():
			cancel(errLeaseLost)
		case <-ctx.Done():
		}
	})
	defer wg.Wait()
	defer cancel(nil)
	err = fn(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errLeaseLost) {
		return &holdfast.Error{Op: r.op, Err: errLeaseLost, Hint: "another process took over; try again when it is done"}
	}
	return err
}

// detached gives a context for cleaning up after ctx has ended.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
}
