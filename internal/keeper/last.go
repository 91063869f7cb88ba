package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// lastGrace is how much longer than its deadline Last waits for an engine that cleans
// up after itself.
const lastGrace = 500 * time.Millisecond

// Last makes the last backup before the program ends, before ctx does, and returns no
// later than a moment after. If everything is saved already it says which backup has
// it; one that is being made and began after the last change is that one. What
// follows other backups is ended; then, as far as there is time, the replicas get
// this one. It may be called again, when the program has ended: that costs a look
// if nothing has changed.
//
// An error says what is saved and what is not. A backup that the deadline cut
// leaves nothing half-done; should the repository not answer while that is cleared
// away, the next writer does it.
func (k *Keeper) Last(ctx context.Context) (*engine.BackupResult, error) {
	defer k.endCare()()
	type outcome struct {
		result *engine.BackupResult
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := k.makeLast(ctx)
		done <- outcome{result, err}
	}()
	select {
	case o := <-done:
		return o.result, o.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(lastGrace)
	defer grace.Stop()
	select {
	case o := <-done:
		return o.result, o.err
	case <-grace.C:
		return nil, k.lost(context.Cause(ctx))
	}
}

// endCare ends what follows other backups, and the loop makes no more until the
// returned function is called.
func (k *Keeper) endCare() (again func()) {
	k.mu.Lock()
	k.lasts++
	if k.hurry != nil || k.owedCare != nil { // it is for the last one to serve the replicas
		k.behind = FollowingOf(k.o.Config).Replicate
	}
	for _, hurry := range []func(){k.hurry, k.hurryProof} {
		if hurry != nil {
			hurry()
		}
	}
	k.mu.Unlock()
	return func() {
		k.mu.Lock()
		k.lasts--
		k.mu.Unlock()
		k.look()
	}
}

func (k *Keeper) makeLast(ctx context.Context) (*engine.BackupResult, error) {
	a := k.covering()
	if a != nil {
		select {
		case <-a.done:
		case <-ctx.Done():
			return nil, k.lost(context.Cause(ctx))
		}
	}
	if a == nil || a.err != nil {
		if a = k.saved(); a == nil {
			var err error
			request := engine.BackupRequest{Trigger: holdfast.TriggerShutdown, IfChanged: true}
			if a, err = k.attempt(ctx, request, untilDeadline); err != nil {
				return nil, k.lost(err)
			}
		}
	}
	result := *a.result
	served := *a
	served.request.Trigger = holdfast.TriggerShutdown
	result.Problems = slices.Concat(result.Problems, k.follow(ctx, &served, k.careFor(holdfast.TriggerShutdown, a.result)).Problems)
	return &result, nil
}

// untilDeadline is more patience than any deadline has.
const untilDeadline = 24 * time.Hour

// covering gives the backup that is being made, if it holds everything that was
// written up to now. One that has not begun to capture yet will.
func (k *Keeper) covering() *attempt {
	k.mu.Lock()
	a, sources, age := k.running, k.sources, k.age
	begun := a != nil && a.capturing
	covers := begun && a.age == age && a.seen.settled && allWatched(sources)
	k.mu.Unlock()
	switch {
	case !begun:
		return a
	case !covers:
		return nil
	}
	if now := sightOf(sources); !now.settled || now.state != a.seen.state {
		return nil
	}
	return a
}

// saved gives the newest backup, if it holds everything that was written up to now.
func (k *Keeper) saved() *attempt {
	k.mu.Lock()
	sources := k.sources
	k.mu.Unlock()
	if !allWatched(sources) {
		return nil
	}
	now := sightOf(sources)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lastAttempt == nil || k.last == nil || k.running != nil || k.distrust || !k.watch.clean(now) {
		return nil
	}
	saved := *k.lastAttempt
	saved.result = &engine.BackupResult{Backup: *k.last, Unchanged: true}
	return &saved
}

// allWatched tells whether each source can be looked at.
func allWatched(sources []holdfast.Source) bool {
	return !slices.ContainsFunc(sources, func(s holdfast.Source) bool { _, ok := s.(holdfast.Peeker); return !ok })
}

// lost tells what is not saved because there is no last backup.
func (k *Keeper) lost(why error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	saved := "and no other is known"
	switch {
	case k.last != nil && k.last.Metadata != nil:
		saved = fmt.Sprintf("the newest is %s, made %s", k.last.Name, k.last.Metadata.CreatedAt.UTC().Format(time.RFC3339))
	case k.last != nil:
		saved = fmt.Sprintf("the newest is %s", k.last.Name)
	}
	changes := "what changed since then is not saved"
	switch {
	case k.last == nil:
		changes = "nothing of this run is saved"
	case !k.unsaved.IsZero():
		changes = "what changed since " + k.unsaved.UTC().Format(time.RFC3339) + " is not saved"
	}
	hint := "the data is where it was; if that outlives this program, the next start backs it up"
	if errors.Is(why, context.DeadlineExceeded) {
		why = fmt.Errorf("the time was over: %w", why)
		hint += ". shutdown_timeout gives it more time"
	}
	return &holdfast.Error{Op: "last backup", Err: fmt.Errorf("%w; %s, %s", why, saved, changes), Hint: hint}
}
