package keeper

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// A worker is what the keeper needs of an engine.
type worker interface {
	Follower
	Backup(context.Context, engine.BackupRequest) (*engine.BackupResult, error)
	Verify(context.Context, engine.VerifyRequest) (*engine.VerifyResult, error)
}

// lockWait is how long a backup waits for a repository that is in use.
const lockWait = time.Minute

// Backup makes a backup, and the repository first if there is none; then what
// follows a backup, whose problems are among those of the result. It waits up to a
// minute for a repository that is in use.
func (k *Keeper) Backup(ctx context.Context, req engine.BackupRequest) (*engine.BackupResult, error) {
	result, followed, err := k.BackupInParts(ctx, req, func(*engine.BackupResult) {})
	if err != nil {
		return nil, err
	}
	whole := *result
	whole.Problems = slices.Concat(result.Problems, followed.Problems)
	return &whole, nil
}

// BackupInParts is Backup for whoever wants to know of the backup as soon as it is
// there, which made tells him, and of what followed it.
func (k *Keeper) BackupInParts(ctx context.Context, req engine.BackupRequest, made func(*engine.BackupResult)) (*engine.BackupResult, Followed, error) {
	a, err := k.attempt(ctx, req, lockWait)
	if err != nil {
		return nil, Followed{}, err
	}
	made(a.result)
	return a.result, k.follow(ctx, a, k.careFor(req.Trigger, a.result)), nil
}

// An attempt is one backup being made.
type attempt struct {
	request engine.BackupRequest
	// operation is what the log calls it, and all that follows it.
	operation string
	// The keeper's lock guards what follows, until done is closed.
	capturing bool
	begun     time.Duration
	seen      sight // before anything was captured
	age       int   // of the sources

	done   chan struct{}
	worker worker
	result *engine.BackupResult
	err    error
}

// attempt makes a backup, in turn with everything else that writes to the
// repository.
func (k *Keeper) attempt(ctx context.Context, req engine.BackupRequest, patience time.Duration) (*attempt, error) {
	if err := k.work.take(ctx); err != nil {
		return nil, err
	}
	defer k.work.pass()
	k.tally.begin()
	defer k.tally.end()
	a := &attempt{request: req, operation: cmp.Or(holdfast.OperationOf(ctx), rand.Text()[:8]), done: make(chan struct{})}
	ctx = holdfast.WithOperation(ctx, a.operation)
	k.mu.Lock()
	k.running = a
	k.mu.Unlock()
	if scheduledHere(req.Trigger) {
		k.taskBegins()
	}
	a.err = k.patiently(ctx, patience, func() error {
		var err error
		if a.worker, err = k.opener(ctx, req); err != nil {
			return err
		}
		k.captures(a)
		a.result, err = a.worker.Backup(ctx, req)
		return err
	})
	k.ended(ctx, a)
	return a, a.err
}

// captures notes what the sources look like before they are captured.
func (k *Keeper) captures(a *attempt) {
	k.mu.Lock()
	sources, age := k.sources, k.age
	k.mu.Unlock()
	begun, seen := k.clock.Passed(), sightOf(sources)
	k.mu.Lock()
	a.begun, a.seen, a.age, a.capturing = begun, seen, age, true
	k.mu.Unlock()
}

// patiently does something again while another process uses the repository, with
// growing pauses, until patience is over.
func (k *Keeper) patiently(ctx context.Context, patience time.Duration, fn func() error) error {
	deadline := k.clock.Passed() + patience
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := fn()
		if !errors.Is(err, holdfast.ErrLocked) || ctx.Err() != nil || k.clock.Passed() >= deadline {
			return err
		}
		// Two that wait for each other must not keep step.
		if k.tally.pause(func() error { return k.sleep(ctx, pause/2+mathrand.N(pause)) }) != nil {
			return err
		}
	}
}

// sleep waits, or gives the reason why not.
func (k *Keeper) sleep(ctx context.Context, d time.Duration) error {
	fired, stop := k.o.Timer(d)
	defer stop()
	select {
	case <-fired:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ended takes in what became of an attempt.
func (k *Keeper) ended(ctx context.Context, a *attempt) {
	now := k.clock.Passed()
	k.mu.Lock()
	k.running = nil
	switch {
	case a.err == nil:
		k.succeeded(a, now)
	case ctx.Err() == nil:
		k.counts.Failures[cmp.Or(a.request.Trigger, holdfast.TriggerManual)]++
		k.failedOnce(a.err, now)
	}
	if scheduledHere(a.request.Trigger) {
		k.taskEnds(a.err, now)
	}
	tell := k.tell(ctx, a)
	k.mu.Unlock()
	close(a.done)
	tell()
	if k.proves() {
		k.look() // it is to be proven
	}
	k.o.Changed()
}

// succeeded takes in a backup, under the lock.
func (k *Keeper) succeeded(a *attempt, now time.Duration) {
	info := a.result.Backup
	k.last, k.failed, k.failure, k.retryAt, k.distrust = &info, 0, nil, 0, false
	k.lastAttempt = a
	k.problems = slices.Clone(a.result.Problems)
	if a.result.Unchanged {
		k.counts.Unchanged++
		k.lastChecked = k.o.Now()
	} else {
		k.counts.Backups++
	}
	if a.age == k.age {
		k.watch.saved(a.seen, a.begun)
		k.unsaved, k.owed = time.Time{}, ""
	}
	if scheduledHere(a.request.Trigger) {
		k.ticks.Done(a.begun)
	}
	if every := k.o.Config.Schedule.Every; every > 0 && (scheduledHere(a.request.Trigger) || k.next == 0) {
		k.next = k.nextAfter(a, now, every)
	}
}

// nearly is how far an interval may be from its end to be over: two clocks tell how far
// that is, and the wall clock may be the slower one.
const nearly = time.Minute

// nextAfter is when the interval is over: it begins with the newest backup, or, if
// that is too long ago, now that it was found to be still true.
func (k *Keeper) nextAfter(a *attempt, now, every time.Duration) time.Duration {
	if m := a.result.Backup.Metadata; m != nil {
		if next := k.clock.At(m.CreatedAt.Time) + every; next > now+min(nearly, every/2) && next < now+every {
			return next
		}
	}
	return now + every
}

const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// failedOnce takes in a failure, under the lock: the next attempt comes later each
// time.
func (k *Keeper) failedOnce(err error, now time.Duration) {
	k.failed++
	k.failure = err
	if !k.watch.known && k.unsaved.IsZero() {
		k.unsaved = k.o.Now() // nothing is known to be saved
	}
	k.retryAt = now + min(firstRetry<<min(k.failed-1, 10), lastRetry)
}

// tellAgain is how often a failure is logged whose reason stays the same.
const tellAgain = time.Hour

// tell decides what of an attempt is logged, under the lock: a failure once, and
// every hour again, as long as its reason stays the same.
func (k *Keeper) tell(ctx context.Context, a *attempt) func() {
	failed := k.told
	if a.err != nil {
		reason, now := reasonOf(a.err), k.clock.Passed()
		if ctx.Err() != nil || reason == failed && now-k.toldAt < tellAgain {
			return func() {}
		}
		k.told, k.toldAt = reason, now
		attempts := k.failed
		return func() {
			k.tellUnbegun(ctx, a)
			k.log.Warn("backup failed", keyOpID, a.operation, keyTrigger, a.request.Trigger, keyError, a.err, keyHint, holdfast.HintOf(a.err), keyFailed, attempts)
		}
	}
	k.told = ""
	return func() {
		if failed != "" {
			k.log.Info("backups can be made again")
		}
		info := a.result.Backup
		if a.result.Unchanged {
			k.log.Debug("nothing has changed since the newest backup", keyOpID, a.operation, keyBackup, info.Name, keyTrigger, a.request.Trigger)
			return
		}
		var stored, took int64
		if info.Metadata != nil {
			stored, took = info.Metadata.StoredBytes, info.Metadata.DurationMS
		}
		level := slog.LevelInfo
		if a.request.Trigger == holdfast.TriggerChange { // a busy program has thousands a day
			level = slog.LevelDebug
		}
		k.log.Log(context.Background(), level, "backup made", keyOpID, a.operation, keyBackup, info.Name, keyTrigger, a.request.Trigger, keyForm, a.result.Form.String(),
			keyBytes, stored, keyDuration, time.Duration(took)*time.Millisecond)
	}
}

// tellUnbegun tells whoever is told after a backup that one failed which no engine
// has begun, because the repository cannot be reached, say.
func (k *Keeper) tellUnbegun(ctx context.Context, a *attempt) {
	if k.o.Around == nil || a.worker != nil || errors.Is(a.err, holdfast.ErrLocked) || errors.Is(a.err, holdfast.ErrUsage) {
		return
	}
	v := engine.Verb{
		Op: "backup", Operation: holdfast.OperationOf(ctx), Trigger: cmp.Or(a.request.Trigger, holdfast.TriggerManual),
		Begun: k.o.Now(), Err: a.err,
	}
	for _, p := range k.o.Around.After(ctx, v) {
		k.log.Warn(p.Message, keyObject, p.Object, keyHint, p.Hint)
	}
}

// reasonOf tells failures apart. Who holds a lock changes all the time.
func reasonOf(err error) string {
	if errors.Is(err, holdfast.ErrLocked) {
		return holdfast.ErrLocked.Error()
	}
	return err.Error()
}
