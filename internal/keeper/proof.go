package keeper

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// A daemon proves its newest backup as soon as it is made, whatever its size, beside
// everything else. What comes every minute must not be read all the time, though:
// between two proofs there is a rest.

const (
	// proofRest is how many times as long as a proof took the next one is waited for.
	proofRest = 9
	// proofAgain is how long a proof that could not be made is waited for.
	proofAgain = 5 * time.Minute
	// lastReplacement is the longest time to a backup that takes the place of a damaged
	// one, after several in a row were: a disk that spoils everything must not be filled.
	lastReplacement = time.Hour
)

// proofs are what a daemon knows of them. The keeper's lock guards it.
type proofs struct {
	inCare     holdfast.BackupName // to be proven by what follows a backup
	tried      holdfast.BackupName // there is no more to be said of it
	proving    bool
	proveAfter time.Duration
	hurryProof func() // ends the one that is made
	unproven   []holdfast.Problem
	spoiled    int // backups in a row that did not read back
}

// proves tells whether this keeper proves backups of any size.
func (k *Keeper) proves() bool { return k.o.Daemon && k.o.Config.Verify.Every > 0 }

// proveNewest lets the newest backup be proven, if that is due.
func (k *Keeper) proveNewest() {
	now := k.clock.Passed()
	k.mu.Lock()
	due := k.proves() && k.last != nil && unproven(*k.last) && k.last.Name != k.tried && k.last.Name != k.inCare &&
		!k.proving && !k.finishing && k.lasts == 0 && now >= k.proveAfter
	if due {
		k.proving = true
		k.tally.begin()
	}
	k.mu.Unlock()
	if due {
		k.toProve <- struct{}{}
	}
}

// unproven tells whether nothing is known of a backup but that it was made.
func unproven(info repo.Info) bool {
	_, proven := info.Proven()
	return info.Metadata != nil && !proven && !info.Disproven()
}

// takeProofs makes the proofs that are due, until ctx ends.
func (k *Keeper) takeProofs(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.toProve:
		}
		k.proofOfNewest(ctx)
		k.look()
	}
}

// proofOfNewest proves the newest backup, unless the program ends.
func (k *Keeper) proofOfNewest(ctx context.Context) {
	defer k.tally.end()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	k.mu.Lock()
	if k.last == nil { // it was removed meanwhile
		k.proving = false
		k.mu.Unlock()
		return
	}
	newest, hurried := *k.last, k.finishing || k.lasts > 0
	k.hurryProof = func() { cancel(errHurry) }
	k.mu.Unlock()
	begun := k.clock.Passed()
	var problems []holdfast.Problem
	final := false
	if !hurried {
		w, err := k.reader(ctx)
		if err == nil {
			problems, final, err = k.prove(ctx, w, newest)
		}
		if err != nil && ctx.Err() == nil {
			problems = []holdfast.Problem{notProven(newest.Name, err)}
		}
	}
	now := k.clock.Passed()
	k.mu.Lock()
	k.proving, k.hurryProof = false, nil
	k.proveAfter = now + proofRest*(now-begun)
	if final {
		k.tried = newest.Name
	} else {
		k.proveAfter = max(k.proveAfter, now+proofAgain)
	}
	known := k.unproven
	if ctx.Err() == nil {
		k.unproven = problems
	}
	k.mu.Unlock()
	if ctx.Err() == nil {
		k.sayNew(problems, known)
	}
	k.o.Changed()
}

// sayNew logs the problems that were not known.
func (k *Keeper) sayNew(problems, known []holdfast.Problem) {
	for _, p := range problems {
		if !slices.Contains(known, p) {
			k.log.Warn(p.Message, keyObject, p.Object, keySource, p.Source, keyHint, p.Hint)
		}
	}
}

// prove verifies a backup, and tells whether that is the last word on it. The error
// is for an interruption alone.
func (k *Keeper) prove(ctx context.Context, w worker, info repo.Info) (problems []holdfast.Problem, final bool, err error) {
	name := info.Name
	result, err := w.Verify(ctx, engine.VerifyRequest{Name: string(name)})
	switch {
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	case err == nil:
		k.proven(name, result.Proof)
		return nil, true, nil
	case errors.Is(err, holdfast.ErrNotFound):
		return nil, true, nil // it was deleted meanwhile
	case errors.Is(err, holdfast.ErrDamaged):
		k.disproven()
		return []holdfast.Problem{{Object: string(name), Severity: holdfast.Damaged, Message: "the backup was made, but does not read back as it was written: " + err.Error(), Hint: "another is made; look at the disk of the repository"}}, true, nil
	case errors.Is(err, holdfast.ErrIncomplete):
		return []holdfast.Problem{{Object: string(name), Severity: holdfast.Incomplete, Message: err.Error(), Hint: holdfast.HintOf(err)}}, true, nil
	}
	return []holdfast.Problem{notProven(name, err)}, false, nil
}

// notProven tells that a backup could not be proven just now.
func notProven(name holdfast.BackupName, err error) holdfast.Problem {
	return holdfast.Problem{Object: string(name), Severity: holdfast.Warning, Message: "the backup was made, but could not be proven: " + err.Error(), Hint: "`holdfast verify` tries again"}
}

// proven notes a proof of the newest backup.
func (k *Keeper) proven(name holdfast.BackupName, p holdfast.Proof) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spoiled = 0
	if k.last != nil && k.last.Name == name {
		info := *k.last
		info.Proofs = append(slices.Clone(info.Proofs), p)
		k.last = &info
	}
}

// disproven makes another backup owed, which does not lean on the one that is
// damaged. It comes later each time.
func (k *Keeper) disproven() {
	k.mu.Lock()
	k.distrust, k.owed = true, holdfast.TriggerScheduled
	k.watch.reset()
	k.retryAt = k.clock.Passed() + min(firstRetry<<min(2*k.spoiled, 20), lastReplacement)
	k.spoiled++
	k.mu.Unlock()
	k.look()
}
