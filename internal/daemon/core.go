package daemon

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/around"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/lookout"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/panel"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/schedule"
	"github.com/holdfast-backup/holdfast/internal/shelf"
	"github.com/holdfast-backup/holdfast/repo"
)

// A core is everything that belongs to one configuration.
type core struct {
	d          *daemon
	config     *config.Config
	keeper     *keeper.Keeper
	book       *report.Book
	operations *operation.Operations
	shelf      *shelf.Shelf[*engine.Look]       // of the backups that somebody looks into
	panel      *panel.Panel                     // in a chat; nil: there is none
	unheard    atomic.Pointer[holdfast.Problem] // why the panel gets no messages; nil: it does
	tasks      *schedule.Runner
	lookout    *lookout.Lookout
	glance     glance[report.Status] // of whoever asks for the status
	recent     glance[report.Status] // of pages
	// contact is why the repository could not be used when this core was begun.
	contact error
	// tried is when a backup was last read of which that could not be written down.
	tried map[holdfast.BackupName]time.Time

	cancel   context.CancelFunc
	endTasks context.CancelFunc
	endPanel context.CancelFunc // returns when no updates are fetched any more
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
	out.glance.look = func(ctx context.Context) (report.Status, error) { return out.lookout.Look(ctx, true, nil) }
	out.recent.look = func(ctx context.Context) (report.Status, error) {
		return out.lookout.Look(ctx, true, out.recentList)
	}
	var err error
	out.keeper, err = keeper.New(keeper.Options{
		Config: c, Logger: d.log, ToolVersion: d.o.ToolVersion, Daemon: true,
		Around:   observed{inner: around.New(c, around.Options{Logger: d.log, ToolVersion: d.o.ToolVersion, Now: d.o.Now}), to: d.observe, pulses: &d.pulses},
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
	out.lookout = lookout.New(lookout.Options{
		Config: c, Keeper: out.keeper, Programs: d.programs, Listed: d.remember, Panel: out.unheard.Load, Now: d.o.Now, Logger: d.log, ToolVersion: d.o.ToolVersion,
	})
	out.book = report.NewBook(out.lookout.List, report.BookOptions{Now: d.o.Now})
	if out.operations, err = operation.New(operation.Options{
		Keeper: out.keeper, Config: c, Book: out, Jobs: d.jobs, Now: d.o.Now, Logger: d.log, ToolVersion: d.o.ToolVersion,
	}); err != nil {
		return nil, err
	}
	out.shelf = api.NewShelf(out.keeper, func(err error) { d.log.Debug("a backup could not be closed", keyError, err) })
	if out.panel, err = out.newPanel(); err != nil {
		return nil, err
	}
	if out.tasks, err = out.newTasks(); err != nil {
		return nil, err
	}
	return out, nil
}

// recentList gives what the book has read, and a failure of its last reading.
func (c *core) recentList(ctx context.Context) ([]repo.Info, error) {
	_, _, err := c.book.Recent(ctx)
	if aged, ok := errors.AsType[*report.AgedError](err); ok {
		err = aged.Err
	}
	if err != nil {
		return nil, err
	}
	return c.lookout.Listed(), nil
}

// Changed is called when the backups stand otherwise than before.
func (c *core) Changed() {
	if c.book != nil {
		c.book.Changed()
	}
	if c.shelf != nil {
		c.shelf.Drop()
	}
	c.glance.changed()
	c.recent.changed()
}

// start begins what runs by itself.
func (c *core) start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	care, endTasks := context.WithCancel(ctx)
	c.endTasks = endTasks
	c.startPanel(ctx)
	c.d.pulses.beat(loopBackups)
	c.d.pulses.beat(loopTasks)
	c.ended.Go(func() { c.report("make backups", c.keeper.Run(ctx)) })
	c.ended.Go(func() { c.report("run tasks", c.tasks.Run(care)) })
	// It begins by reading every backup, so that whoever opens a page first does not wait.
	c.ended.Go(func() { c.report("read the list of backups", c.book.Run(ctx)) })
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
	c.endPanel()
	if err := c.keeper.Finish(ctx); err != nil {
		c.d.log.Warn("not everything came to its end", keyError, err, keyHint, holdfast.HintOf(err))
	}
	c.cancel()
	if c.panel != nil {
		if err := c.panel.Close(ctx); err != nil {
			c.d.log.Debug("the panel did not end in time", keyError, err)
		}
	}
	c.ended.Wait()
	c.shelf.Close()
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
