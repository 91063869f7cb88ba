package keeper

import (
	"context"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// TaskName is the name of the periodic backup among the tasks of a program.
const TaskName = "backup_task"

// scheduledHere tells whether a trigger is that of the periodic backup, which the
// one at the start stands for.
func scheduledHere(t holdfast.Trigger) bool {
	return t == holdfast.TriggerScheduled || t == holdfast.TriggerStartup
}

// mostWait is the longest that the loop sleeps: a suspended machine is caught up with
// so soon after it woke, and the end of a standby is seen.
const mostWait = 5 * time.Second

// appearWithin is how long after the start the data may not be there yet: a program
// that is started for the first time makes it.
const appearWithin = 30 * time.Second

// Run makes the backups of the program: one at once, if there is anything to save
// (a daemon: if one was missed), one at every interval and moment of cron, and one
// soon after each change. It returns nil when ctx has ended and nothing is at work
// any more; a backup that is being made then is given up, so the last one should be
// made before. It can be called once.
func (k *Keeper) Run(ctx context.Context) error {
	known := k.saved() != nil
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	k.mu.Lock()
	started := k.started
	if !started {
		k.started, k.stop = true, stop
	}
	if !started && !known {
		if !k.o.Daemon {
			k.owed = holdfast.TriggerStartup
		}
		k.appearBy = k.clock.Passed() + appearWithin
	}
	k.mu.Unlock()
	if started {
		return &holdfast.Error{Op: "make backups", Err: holdfast.Kindf(holdfast.ErrUsage, "they are made already")}
	}
	k.sayUnwatched()
	var caring sync.WaitGroup
	defer k.dropOwed()
	defer caring.Wait()
	defer stop(nil)
	caring.Go(func() { k.takeCare(ctx) })
	caring.Go(func() { k.takeProofs(ctx) })
	if k.o.Daemon && !known {
		k.resume(ctx)
	}
	for ctx.Err() == nil {
		k.turn(ctx)
		fired, stop := k.o.Timer(k.pause())
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-fired:
		}
		stop()
	}
	return nil
}

// turn looks once, and makes the backup that is due.
func (k *Keeper) turn(ctx context.Context) {
	if k.standsBy(ctx) {
		return
	}
	k.tally.begin()
	defer k.tally.end()
	k.watchSources()
	k.seeOpening()
	trigger, full, due := k.due()
	if !due {
		k.againBehind()
		k.proveNewest()
		return
	}
	var a *attempt
	err := k.tally.pause(func() (err error) { // the attempt counts for itself
		a, err = k.attempt(ctx, engine.BackupRequest{Trigger: trigger, IfChanged: !full, Full: full}, lockWait)
		return err
	})
	if err == nil {
		k.owe(a, k.careFor(trigger, a.result))
	}
}

// watchSources looks at the sources.
func (k *Keeper) watchSources() {
	k.mu.Lock()
	sources, age, within := k.sources, k.age, k.watch.within
	k.mu.Unlock()
	if within == 0 {
		return
	}
	now, seen := k.clock.Passed(), sightOf(sources)
	k.mu.Lock()
	// A restore or a backup at work changes what is compared with.
	first := age == k.age && k.running == nil && k.watch.see(seen, now)
	if first {
		k.unsaved = k.clock.Wall(k.watch.same)
	}
	k.mu.Unlock()
	if first {
		k.o.Changed()
	}
}

// seeOpening asks until when the program wants to be alone.
func (k *Keeper) seeOpening() {
	left := k.o.Opening()
	k.mu.Lock()
	k.openBy = k.clock.Passed() + left
	k.mu.Unlock()
}

// due tells which backup is to be made now.
func (k *Keeper) due() (trigger holdfast.Trigger, full, due bool) {
	if k.notYet() {
		return "", false, false
	}
	now := k.clock.Passed()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lasts > 0 || k.finishing {
		return "", false, false // the last one takes care of everything
	}
	trigger, at, ok := k.nextDue()
	return trigger, k.distrust, ok && now >= at
}

// notYet tells that this is a first start, and that the program has not made its data
// yet.
func (k *Keeper) notYet() bool {
	now := k.clock.Passed()
	k.mu.Lock()
	waits, sources := (k.owed == holdfast.TriggerStartup || k.o.Daemon) && now < k.appearBy, k.sources
	k.mu.Unlock()
	return waits && sightOf(sources).absent
}

// nextDue tells which backup is to be made next, and when, under the lock.
func (k *Keeper) nextDue() (trigger holdfast.Trigger, at time.Duration, ok bool) {
	if changed, pending := k.watch.due(); pending {
		trigger, at, ok = holdfast.TriggerChange, changed, true
	}
	if next, scheduled := k.nextScheduled(); scheduled && (!ok || next <= at) {
		trigger, at, ok = holdfast.TriggerScheduled, next, true
	}
	if k.owed != "" {
		trigger, at, ok = k.owed, 0, true
	}
	return trigger, max(at, k.retryAt, k.openBy), ok
}

// nextScheduled tells when the interval is over or the next moment of cron comes,
// under the lock.
func (k *Keeper) nextScheduled() (at time.Duration, ok bool) {
	at, ok = k.ticks.Next()
	if k.next > 0 && (!ok || k.next < at) {
		return k.next, true
	}
	return at, ok
}

// pause is how long the loop may sleep.
func (k *Keeper) pause() time.Duration {
	now := k.clock.Passed()
	k.mu.Lock()
	defer k.mu.Unlock()
	wait := mostWait
	if k.watch.within > 0 {
		wait = min(wait, k.watch.every())
	}
	if k.standby != "" || k.lasts > 0 || k.finishing {
		return wait
	}
	if _, at, ok := k.nextDue(); ok {
		if at <= now { // it is waited for the data to appear
			at = now + leastLook
		}
		wait = min(wait, at-now)
	}
	return wait
}

// owe leaves what follows a backup to be done beside the next ones.
func (k *Keeper) owe(a *attempt, c care) {
	if c.none() {
		return
	}
	k.mu.Lock()
	if k.owedCare != nil { // the newest backup is the one to be proven
		c = c.and(care{Following: k.owedCare.Following})
	} else {
		k.tally.begin() // until it is done
	}
	k.owedCare = &owedCare{care: c, attempt: a}
	if c.prove {
		k.inCare = a.result.Backup.Name
	}
	k.mu.Unlock()
	select {
	case k.cares <- struct{}{}:
	default:
	}
}

// againBehind tries replicas again that lack something.
func (k *Keeper) againBehind() {
	now := k.clock.Passed()
	k.mu.Lock()
	again := k.behind && k.lastAttempt != nil && k.lasts == 0 && !k.finishing && now >= k.behindNext
	if again {
		k.behindNext = now + behindEvery
	}
	a := k.lastAttempt
	k.mu.Unlock()
	if again {
		k.owe(a, care{Following: Following{Replicate: true}})
	}
}

// takeCare does what follows the backups of the loop, until ctx ends.
func (k *Keeper) takeCare(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.cares:
		}
		k.mu.Lock()
		owed := k.owedCare
		k.owedCare = nil
		k.mu.Unlock()
		if owed != nil {
			_ = k.tally.pause(func() error { // what follows counts for itself
				k.follow(ctx, owed.attempt, owed.care)
				return nil
			})
			k.caredFor(owed)
		}
	}
}

// caredFor notes that what was owed has been done, or never will be.
func (k *Keeper) caredFor(owed *owedCare) {
	k.mu.Lock()
	if k.inCare == owed.attempt.result.Backup.Name {
		k.inCare = ""
	}
	k.mu.Unlock()
	k.tally.end()
}

// dropOwed forgets what nobody will do any more.
func (k *Keeper) dropOwed() {
	k.mu.Lock()
	owed := k.owedCare
	k.owedCare = nil
	k.mu.Unlock()
	if owed != nil {
		k.caredFor(owed)
	}
	select {
	case <-k.toProve:
		k.tally.end()
	default:
	}
}

// standsBy tells whether another instance makes the backups. When it no longer does,
// it may have left changes behind.
func (k *Keeper) standsBy(ctx context.Context) bool {
	other := k.o.Standby()
	k.mu.Lock()
	before := k.standby
	k.standby = other
	if before != "" && other == "" {
		k.beginAnew()
	}
	unknown := k.last == nil
	k.mu.Unlock()
	switch {
	case before == other:
	case other != "":
		k.log.Info("another instance makes the backups", keyStandby, other)
	default:
		k.log.Info("this instance makes the backups now")
	}
	if before == "" && other != "" && unknown {
		k.learn(ctx)
	}
	if before != other {
		k.o.Changed()
	}
	return other != ""
}

// learn looks which backup is the newest. That it cannot be told changes nothing.
func (k *Keeper) learn(ctx context.Context) {
	info, err := k.newest(ctx)
	if err != nil {
		k.log.Debug("the newest backup is not known", keyError, err)
		return
	}
	k.mu.Lock()
	if k.last == nil {
		k.last = &info
	}
	k.mu.Unlock()
}
