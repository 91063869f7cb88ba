package daemon

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/around"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/schedule"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// A core is everything that belongs to one configuration.
type core struct {
	d          *daemon
	config     *config.Config
	keeper     *keeper.Keeper
	book       *report.Book
	operations *operation.Operations
	tasks      *schedule.Runner
	survey     survey
	glance     glance[report.Status] // of whoever asks for the status
	// contact is why the repository could not be used when this core was begun.
	contact error
	// tried is when a backup was last read of which that could not be written down.
	tried map[holdfast.BackupName]time.Time

	listed sync.Mutex
	infos  []repo.Info // the backups, as the book read them last

	cancel   context.CancelFunc
	endTasks context.CancelFunc
	ended    sync.WaitGroup
}

// The loops whose life is watched.
const (
	loopBackups = "the loop that makes backups"
	loopTasks   = "the loop of the tasks"
)

// newCore builds what a configuration asks for. Nothing runs yet, and nothing is changed:
// an error leaves everything as it was.
func (d *daemon) newCore(c *config.Config) (*core, error) {
	out := &core{d: d, config: c, tried: map[holdfast.BackupName]time.Time{}}
	out.glance.look = func(ctx context.Context) (report.Status, error) { return out.look(ctx, true) }
	var err error
	out.keeper, err = keeper.New(keeper.Options{
		Config: c, Logger: d.log, ToolVersion: d.o.ToolVersion, Daemon: true,
		Around:   observed{inner: around.New(c, around.Options{Logger: d.log, ToolVersion: d.o.ToolVersion, Now: d.o.Now}), to: d.metrics.Observe, pulses: &d.pulses},
		Observer: func(holdfast.Event) { d.pulses.beat(loopBackups) },
		Standby: func() string {
			d.pulses.beat(loopBackups) // asked at every turn
			return d.claim.standby()
		},
		Changed: func() { out.Changed() },
		Now:     d.o.Now, Timer: d.o.Timer,
	})
	if err != nil {
		return nil, err
	}
	out.book = report.NewBook(out.list, report.BookOptions{Now: d.o.Now})
	if out.operations, err = operation.New(operation.Options{
		Keeper: out.keeper, Config: c, Book: out, Jobs: d.jobs, Now: d.o.Now, Logger: d.log,
	}); err != nil {
		return nil, err
	}
	if out.tasks, err = out.newTasks(); err != nil {
		return nil, err
	}
	return out, nil
}

// listWithin is how long a repository may take to list its backups.
const listWithin = 30 * time.Second

// list reads the backups for the book.
func (c *core) list(ctx context.Context) ([]repo.Info, error) {
	r, err := c.keeper.Repository(ctx)
	if err != nil {
		return nil, err
	}
	asking, cancel := context.WithTimeoutCause(ctx, listWithin, errSlow)
	defer cancel()
	infos, err := r.List(asking)
	if err != nil && context.Cause(asking) == errSlow {
		err = &holdfast.Error{Op: "list backups", Object: r.Location(), Err: errors.New("no answer in time"), Hint: "look whether the repository can be reached from here"}
	}
	if err == nil {
		c.listed.Lock()
		c.infos = infos
		c.listed.Unlock()
	}
	return infos, err
}

// engine gives one without a repository, for what needs none.
func (c *core) engine(unusable error) (*engine.Engine, error) {
	return wire.Engine(c.config, wire.Options{Unusable: unusable, Logger: c.d.log, Now: c.d.o.Now, ToolVersion: c.d.o.ToolVersion})
}

// Changed is called when the backups stand otherwise than before.
func (c *core) Changed() {
	if c.book != nil {
		c.book.Changed()
	}
	c.glance.changed()
}

// start begins what runs by itself.
func (c *core) start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	care, endTasks := context.WithCancel(ctx)
	c.endTasks = endTasks
	c.d.pulses.beat(loopBackups)
	c.d.pulses.beat(loopTasks)
	c.ended.Go(func() { c.report("make backups", c.keeper.Run(ctx)) })
	c.ended.Go(func() { c.report("run tasks", c.tasks.Run(care)) })
}

// report logs how a loop ended, if not because it was asked to.
func (c *core) report(what string, err error) {
	if err != nil {
		c.d.log.Error("a loop has ended", keyObject, what, keyError, err)
	}
}

// stop ends what runs by itself. A backup that is being made may come to its end until
// ctx ends; it is rolled back then.
func (c *core) stop(ctx context.Context) {
	c.endTasks()
	if err := c.keeper.Finish(ctx); err != nil {
		c.d.log.Warn("not everything came to its end", keyError, err, keyHint, holdfast.HintOf(err))
	}
	c.cancel()
	c.ended.Wait()
}

// observed tells somebody of each verb, beside those who are configured to be told.
type observed struct {
	inner engine.Around // nil: nobody else
	to    func(engine.Verb)
	// pulses are of the loop that waits for the inner one.
	pulses *pulses
}

func (o observed) Before(ctx context.Context, v engine.Verb) error {
	if o.inner == nil {
		return nil
	}
	defer o.pulses.during(loopBackups)()
	return o.inner.Before(ctx, v)
}

func (o observed) After(ctx context.Context, v engine.Verb) []holdfast.Problem {
	o.to(v)
	if o.inner == nil {
		return nil
	}
	defer o.pulses.during(loopBackups)()
	return o.inner.After(ctx, v)
}
