package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/schedule"
	"github.com/holdfast-backup/holdfast/repo"
)

// The tasks, by the names that surfaces show.
const (
	taskVerify = "verify"
	taskDrill  = "drill"
	taskPrune  = "prune"
	taskAlarms = "alarms"
	taskPulse  = "pulse"
)

const (
	drillLook  = time.Hour // how often it is looked whether a drill is due
	pruneEvery = 24 * time.Hour
	pulseEvery = time.Minute
)

// byItself is who asks for work that nobody asks for.
const byItself = "schedule"

// newTasks makes the tasks that the configuration asks for.
func (c *core) newTasks() (*schedule.Runner, error) {
	d := c.d
	tasks := schedule.New(schedule.Options{Logger: d.log, Now: d.o.Now, Timer: d.o.Timer})
	wanted := []schedule.Task{
		{Name: taskPulse, Every: pulseEvery, Jitter: -1, AtStart: true, Run: c.pulse},
		{Name: taskAlarms, Every: d.o.Look, Jitter: -1, AtStart: true, Run: c.watch},
	}
	if c.config.Verify.Every > 0 {
		wanted = append(wanted, schedule.Task{Name: taskVerify, Every: c.turn(), AtStart: true, Run: c.rotate})
	}
	if every := c.config.Drill.Every; every > 0 && !c.config.Encryption.WritesOnly() {
		wanted = append(wanted, schedule.Task{Name: taskDrill, Every: min(every, drillLook), AtStart: true, Run: c.drillDue})
	}
	if c.config.Retention.Policy().Active() {
		// One that never ran runs at once: a daemon that is started anew before a day is over
		// would else never come to it.
		last := d.memo.ran(taskPrune, d.o.Now())
		wanted = append(wanted, schedule.Task{Name: taskPrune, Every: pruneEvery, LastAt: last, AtStart: last.IsZero(), Run: c.prune})
	}
	for _, t := range wanted {
		if err := tasks.Add(t); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// pulse says that the loop of the tasks lives.
func (c *core) pulse(context.Context) error {
	c.d.pulses.beat(loopTasks)
	return nil
}

// idle tells that another daemon does the work.
func (c *core) idle() bool { return c.d.claim.standby() != "" }

// standing tells how the tasks stand, the backups first.
func (c *core) standing() []holdfast.TaskStanding {
	out := []holdfast.TaskStanding{c.keeper.Task()}
	for _, t := range c.tasks.Standing() {
		if t.Name != taskPulse {
			out = append(out, t)
		}
	}
	return out
}

// rotate has one turn of the rotation.
func (c *core) rotate(ctx context.Context) error {
	if c.idle() {
		return nil
	}
	e, err := c.keeper.Engine(ctx)
	if err != nil || e.Repository() == nil {
		return nil //nolint:nilerr // told by whoever watches the repository; the next turn reads
	}
	errs := c.readSome(ctx, e.Repository().List, e)
	c.keeper.Refresh(ctx) // a newest backup that does not read back saves nothing
	errs = append(errs, c.readReplicas(ctx, e))
	if ctx.Err() != nil {
		return nil // stopped: nothing failed
	}
	return errors.Join(errs...)
}

// turn is how often the rotation has its turn.
func (c *core) turn() time.Duration { return min(c.config.Verify.Every/8, mostTurn) }

// A verifier is what the rotation needs of an engine.
type verifier interface {
	Verify(ctx context.Context, req engine.VerifyRequest) (*engine.VerifyResult, error)
}

// readSome reads the backups whose turn it is. One that could not be read, whatever that
// says of it, is left to the next turn, and the others are not.
func (c *core) readSome(ctx context.Context, list func(context.Context) ([]repo.Info, error), v verifier) (errs []error) {
	unread := map[holdfast.BackupName]bool{}
	for read := 0; ctx.Err() == nil; read++ {
		all, err := list(ctx)
		if err != nil {
			return append(errs, err)
		}
		left := slices.DeleteFunc(c.afterTries(readings(all)), func(r reading) bool { return unread[r.name] })
		next, behind, due := nextReading(left, c.d.o.Now(), c.config.Verify.Every)
		if !due || !behind && read >= atOneTurn(len(all), c.turn(), c.config.Verify.Every) {
			break
		}
		whole, err := c.read(ctx, v, next.name)
		unread[next.name] = !whole
		errs = append(errs, err)
	}
	return errs
}

// read verifies a backup in its turn, and tells whether all of it was read. It is no job:
// nobody asked for it, and there are thousands.
func (c *core) read(ctx context.Context, v verifier, name holdfast.BackupName) (whole bool, err error) {
	result, err := v.Verify(ctx, engine.VerifyRequest{Name: name.String()})
	if ctx.Err() != nil {
		return false, nil
	}
	if whole = result != nil; whole {
		// Also when the outcome could not be written down beside the backup: else the same
		// one would be read again and again.
		c.tried[name] = c.d.o.Now()
	}
	c.Changed()
	switch {
	case errors.Is(err, holdfast.ErrNotFound): // deleted meanwhile
		return whole, nil
	case errors.Is(err, holdfast.ErrDamaged):
		c.d.log.Error("a backup does not stand its verification", keyBackup, name, keyError, err, keyHint, holdfast.HintOf(err))
		return whole, err
	case err != nil: // not read, or what was found could not be written down
		return whole, &holdfast.Error{Op: "verify in its turn", Object: name.String(), Err: err, Hint: holdfast.HintOf(err)}
	}
	c.d.log.Debug("verified in its turn", keyBackup, name)
	return whole, nil
}

// afterTries takes in readings that could not be written down beside the backups. Only the
// task of the rotation comes here.
func (c *core) afterTries(all []reading) []reading {
	known := map[holdfast.BackupName]time.Time{}
	for i := range all {
		at, tried := c.tried[all[i].name]
		if !tried || !at.After(all[i].at) {
			continue
		}
		known[all[i].name], all[i].at = at, at
	}
	c.tried = known
	return all
}

// readReplicas verifies the newest copy in each replica as often as everything is read.
func (c *core) readReplicas(ctx context.Context, e *engine.Engine) error {
	var errs []error
	for _, r := range e.Replicas() {
		key, now := taskVerify+" replica "+r.Name, c.d.o.Now()
		if now.Sub(c.d.memo.ran(key, now)) < c.config.Verify.Every/2 || ctx.Err() != nil {
			continue
		}
		on, err := e.OnReplica(ctx, r.Name)
		if err == nil {
			_, err = on.Verify(ctx, engine.VerifyRequest{Name: "latest"})
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, holdfast.ErrNotFound): // nothing there yet, which the survey tells
			continue
		case err != nil:
			errs = append(errs, &holdfast.Error{Op: "verify the newest copy in replica", Object: r.Name, Err: err})
			if !errors.Is(err, holdfast.ErrDamaged) {
				continue // not read: the next turn tries again
			}
		}
		c.d.memo.note(key, now)
	}
	return errors.Join(errs...)
}

// wait waits for a job, and gives how it ended.
func (c *core) wait(ctx context.Context, j job.Job) (job.Job, error) {
	return c.outcome(c.d.jobs.Wait(ctx, j.ID))
}

// outcome tells of a job that was waited for what became of it.
func (c *core) outcome(j job.Job, err error) (job.Job, error) {
	switch {
	case err != nil:
		select {
		case <-c.d.closing:
			_, _ = c.d.jobs.Cancel(j.ID) // the next start begins it anew
		default: // it comes to its end without anybody who waits for it
		}
		return j, err
	case j.Error != nil:
		return j, errors.New(j.Error.Message)
	case j.State == job.Cancelled, j.State == job.Interrupted:
		return j, context.Canceled
	}
	return j, nil
}

// drillDue holds a drill with the newest backup if the last one was long enough ago,
// whoever held it.
func (c *core) drillDue(ctx context.Context) error {
	if c.idle() {
		return nil
	}
	all, _, err := c.book.Backups(ctx)
	if err != nil || len(all) == 0 {
		return nil //nolint:nilerr // nothing to drill; that nothing can be read is told by others
	}
	now := c.d.o.Now()
	last := c.d.memo.ran(taskDrill, now)
	r, err := c.keeper.Repository(ctx)
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	infos, err := r.List(ctx)
	if err != nil {
		return err
	}
	for _, i := range infos {
		for _, p := range i.Proofs {
			if p.Kind == holdfast.ProofDrill && p.At.After(last) {
				last = p.At.Time
			}
		}
	}
	if now.Sub(last) < c.config.Drill.Every {
		return nil
	}
	j, err := c.operations.Drill(ctx, byItself, "", operation.DrillRequest{Name: "latest"})
	if err == nil {
		j, err = c.wait(ctx, j)
	}
	if ctx.Err() != nil {
		return nil
	}
	held := j.State == job.Succeeded || j.State == job.Incomplete || j.Error != nil && j.Error.Exit == holdfast.ExitDamaged
	if held {
		c.d.memo.note(taskDrill, now)
	}
	if err != nil { // that it was held is told by its job
		c.d.log.ErrorContext(holdfast.WithOperation(ctx, j.ID), "the drill of the schedule was not passed", keyBackup, j.Backup, keyOutcome, j.State, keyError, err)
	}
	_ = c.tasks.Trigger(taskAlarms) // what it found is told now; the task exists
	return err
}

// prune removes what retention lets go, on days without a backup too.
func (c *core) prune(ctx context.Context) error {
	if c.idle() {
		return nil
	}
	err := c.keeper.With(ctx, func(e *engine.Engine) error {
		_, err := e.Prune(ctx)
		return err
	})
	if errors.Is(err, holdfast.ErrNotFound) {
		return nil
	}
	if err == nil {
		c.d.memo.note(taskPrune, c.d.o.Now())
		c.Changed()
	}
	return err
}
