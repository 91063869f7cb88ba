package keeper

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

const (
	// proveBelow is how large a backup may be that is verified as soon as it is
	// made.
	proveBelow = 256 << 20
	// pruneEvery keeps backups that come every minute from listing the
	// repository every minute.
	pruneEvery = 10 * time.Minute
	// behindEvery is how often replicas that lack something are tried again,
	// though there is nothing new.
	behindEvery = 5 * time.Minute
)

// A care is what follows one backup here.
type care struct {
	Following
	prove bool
}

func (c care) none() bool { return !c.Replicate && !c.Prune && !c.prove }

// and is both.
func (c care) and(o care) care {
	return care{Following{Place: c.Place, Replicate: c.Replicate || o.Replicate, Prune: c.Prune || o.Prune}, c.prove || o.prove}
}

// An owedCare is what follows a backup of the loop, which does not wait for it.
type owedCare struct {
	care
	attempt *attempt
}

// careFor decides what follows a backup.
func (k *Keeper) careFor(trigger holdfast.Trigger, result *engine.BackupResult) care {
	now := k.clock.Passed()
	k.mu.Lock()
	defer k.mu.Unlock()
	c := care{Following: FollowingOf(k.o.Config)}
	c.Replicate = c.Replicate && (!result.Unchanged || k.behind || scheduledHere(trigger))
	switch {
	case trigger == holdfast.TriggerShutdown:
		c.Prune = false // the time is short; the next start does it
	case trigger == holdfast.TriggerChange:
		c.Prune = c.Prune && !result.Unchanged && (k.prunedAt == 0 || now-k.prunedAt >= pruneEvery)
	}
	if scheduledHere(trigger) {
		c.prove = provable(result.Backup)
	}
	return c
}

// provable tells whether a backup is worth being verified, and small enough.
func provable(info repo.Info) bool {
	_, proven := info.Proven()
	return info.Metadata != nil && !proven && info.Metadata.LogicalBytes < proveBelow
}

// follow does what follows a backup. The problems are all that arose.
func (k *Keeper) follow(ctx context.Context, a *attempt, c care) Followed {
	if c.none() {
		return Followed{}
	}
	ctx = holdfast.WithOperation(ctx, a.operation)
	k.tally.begin()
	defer k.tally.end()
	if err := k.tally.pause(func() error { return k.caring.take(ctx) }); err != nil {
		return k.cared(nil, c, Followed{Lacking: c.Replicate}, []holdfast.Problem{cut(err)})
	}
	defer k.caring.pass()
	hurried, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if a.request.Trigger != holdfast.TriggerShutdown && !k.mayCare(func() { cancel(errHurry) }) {
		return k.cared(nil, c, Followed{Lacking: c.Replicate}, nil)
	}
	// The proof comes first: a first copy to a far replica can take hours.
	var problems []holdfast.Problem
	var err error
	if c.prove {
		problems, _, err = k.prove(hurried, a.worker, a.result.Backup)
	}
	var followed Followed
	if damaged := slices.ContainsFunc(problems, func(p holdfast.Problem) bool { return p.Severity == holdfast.Damaged }); damaged {
		c.Following = Following{} // the one that takes its place will be followed
	}
	if err == nil {
		followed, err = Follow(hurried, patient{k, a.worker}, c.Following)
		problems = append(problems, followed.Problems...)
	}
	switch why := context.Cause(hurried); {
	case err == nil:
	case errors.Is(why, errHurry): // the last backup and the next start make up for it
		followed = k.cared(err, c, followed, problems)
		followed.Problems = append(slices.Clip(followed.Problems), cut(why))
		return followed
	default:
		problems = append(problems, cut(why))
	}
	return k.cared(err, c, followed, problems)
}

// errHurry ends what follows a backup because the program ends.
var errHurry = errors.New("the program ends")

// cut tells that what follows a backup did not come to its end.
func cut(why error) holdfast.Problem {
	return holdfast.Problem{Severity: holdfast.Warning, Message: "the backup was made, but copying it to the replicas, removing old ones or proving it was cut: " + why.Error(), Hint: "the next backup does it"}
}

// mayCare tells whether there is time for what follows a backup, and how it is ended
// when there no longer is.
func (k *Keeper) mayCare(cancel func()) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lasts > 0 {
		return false
	}
	k.hurry = cancel
	return true
}

// cared takes in what became of it.
func (k *Keeper) cared(err error, c care, f Followed, problems []holdfast.Problem) Followed {
	now := k.clock.Passed()
	k.mu.Lock()
	k.hurry = nil
	if c.Replicate {
		k.behind = f.Lacking || err != nil && f.Replicas == nil
		k.behindNext = now + behindEvery
	}
	if c.Prune && err == nil {
		k.prunedAt = now
	}
	known := k.follows
	k.follows = problems
	k.mu.Unlock()
	k.sayNew(problems, known)
	k.o.Changed()
	f.Problems = problems
	return f
}

// patient is a worker that takes its turn, and waits for what is in use.
type patient struct {
	k *Keeper
	worker
}

// Prune waits for its turn.
func (p patient) Prune(ctx context.Context) (decisions []retention.Decision, err error) {
	if err := p.k.tally.pause(func() error { return p.k.work.take(ctx) }); err != nil {
		return nil, err
	}
	defer p.k.work.pass()
	err = p.k.patiently(ctx, lockWait, func() (err error) {
		decisions, err = p.worker.Prune(ctx)
		return err
	})
	return decisions, err
}

// Replicate copies backups into replicas, as what follows a backup does: replicas that are
// in use are waited for. Backups are made meanwhile.
func (k *Keeper) Replicate(ctx context.Context, req engine.ReplicateRequest) (*engine.ReplicateResult, error) {
	e, err := k.Engine(ctx)
	if err != nil {
		return nil, err
	}
	return patient{k, e}.Replicate(ctx, req)
}

// Replicate waits for replicas that are in use.
func (p patient) Replicate(ctx context.Context, req engine.ReplicateRequest) (result *engine.ReplicateResult, err error) {
	_ = p.k.patiently(ctx, lockWait, func() error {
		result, err = p.worker.Replicate(ctx, req)
		if result == nil {
			return err
		}
		for _, r := range result.Replicas {
			if errors.Is(errors.Join(r.Errs...), holdfast.ErrLocked) {
				return holdfast.ErrLocked
			}
		}
		return nil
	})
	return result, err
}
