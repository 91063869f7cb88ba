package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/history"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/metrics"
	"github.com/holdfast-backup/holdfast/internal/schedule"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// Options are what a daemon works with.
type Options struct {
	// Load reads the configuration: at the start, and again at each reload.
	Load func() (*config.Config, error)
	// Configured is called with each configuration before it is used: form and level of
	// the log follow it, and its secrets are known there.
	Configured func(*config.Config)
	// Reload asks for a reload; Stop, by a value or its end, to finish what is at work and leave.
	Reload, Stop <-chan struct{}
	Logger       *slog.Logger // nil discards
	ToolVersion  string
	// Listening is called once everything is served, with the real ports, and again when a
	// reload changed that.
	Listening func(Serving)
	// Sender takes the place of the configured receivers of alarms.
	Sender alarm.Sender
	// Look is how often it is judged whether something is wrong; zero is a minute.
	Look time.Duration
	// Inspect gives those who simulate time a function that tells whether work is going on
	// which no timer tells of; nil: nobody does.
	Inspect func(busy func() bool)
	Now     func() time.Time // nil is time.Now
	// Timer waits; nil is schedule.RealTime.
	Timer schedule.Timer
}

// Serving is what a daemon answers at.
type Serving struct {
	Address string // of the API; empty: there is none
	URL     string // where it begins
	// Proxies are the doors of Chroma servers.
	Proxies []config.ChromaProxy
}

// A daemon serves one repository.
type daemon struct {
	o       Options
	log     *slog.Logger
	manager manager
	pulses  pulses
	clock   *schedule.Clock

	state   string // the state directory
	single  *single
	claim   *claim
	memo    *memo
	jobs    *job.Runner
	access  *access.Access
	board   atomic.Pointer[alarm.Board]
	began   time.Time // since when backups are made by this life
	metrics *metrics.Registry
	history *history.Recorder
	doors   doors
	closing chan struct{} // closed once it is told to stop

	core   atomic.Pointer[core]
	begun  atomic.Bool // everything is settled, and served
	judged atomic.Pointer[judgement]
	old    sync.WaitGroup // cores that are being ended
}

// Run serves until Stop or the end of ctx, and tells why it could not begin: ErrLocked
// if another daemon serves the repository, ErrRefused if it must not listen where it
// should, ErrUsage for a configuration that cannot be used. On Stop it finishes what
// is at work, within shutdown_timeout, or rolls it back; when ctx ends it leaves at once.
func Run(ctx context.Context, o Options) (err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Configured == nil {
		o.Configured = func(*config.Config) {}
	}
	if o.Listening == nil {
		o.Listening = func(Serving) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timer == nil {
		o.Timer = schedule.RealTime
	}
	if o.Look == 0 {
		o.Look = time.Minute
	}
	d := &daemon{o: o, log: o.Logger, manager: manager{o.Logger}, clock: schedule.NewClock(o.Now), closing: make(chan struct{})}
	c, err := o.Load()
	if err != nil {
		return err
	}
	o.Configured(c)
	if d.state, err = wire.StateDir(c); err != nil {
		return err
	}
	if d.single, err = takeSingle(d.state, wire.Location(c.Repository), o.Now()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.single.release()) }()
	if err := d.single.sign(); err != nil {
		d.log.Warn("who holds the lock cannot be written into it", keyError, err)
	}
	return d.run(ctx, c)
}

// run is Run for the one that may.
func (d *daemon) run(ctx context.Context, c *config.Config) error {
	if err := d.prepare(c); err != nil {
		return err
	}
	first, err := d.newCore(c)
	if err != nil {
		return err
	}
	d.core.Store(first)
	d.began = d.o.Now()
	board, err := d.newBoard(first)
	if err != nil {
		return err
	}
	d.board.Store(board)
	if err := d.settle(ctx, first); err != nil {
		return err
	}
	set, err := d.bind(ctx, first)
	if err != nil {
		d.unclaim(first)
		return err
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running sync.WaitGroup
	first.start(work)
	running.Go(func() { d.keepClaim(work) })
	d.doors.swap(set)
	d.begun.Store(true)
	if d.o.Inspect != nil {
		d.o.Inspect(d.busy)
	}
	d.announce(first)
	running.Go(func() { d.manager.watch(work, d.healthy) })

	reload := d.o.Reload
	for stopped := false; !stopped; {
		select {
		case _, open := <-reload:
			if !open {
				reload = nil // nobody asks for one any more
				continue
			}
			d.reload(ctx, work)
		case <-d.o.Stop:
			stopped = true
		case <-ctx.Done():
			stopped = true
		}
	}
	d.stop(ctx, cancel)
	if ctx.Err() != nil {
		return nil // whoever ended it does not wait
	}
	running.Wait()
	return nil
}

// announce tells that everything is served.
func (d *daemon) announce(c *core) {
	s := d.doors.serving()
	d.o.Listening(s)
	d.manager.ready(d.sentence())
	d.log.Info("serving", keyAddress, s.Address, keyRepository, wire.Location(c.config.Repository))
	if sch := c.config.Schedule; sch.Every == 0 && len(sch.Cron) == 0 && sch.OnChange == 0 {
		d.log.Warn("no backup is made by itself: schedule.every, cron and on_change are off", keyHint, "set one of them, unless all backups are asked for")
	}
	if c.config.Encryption.WritesOnly() {
		d.log.Info("the backups cannot be read here, where there is no key: they are verified as they are stored, and no drill is held",
			keyHint, "`holdfast drill` now and then where the key is")
	}
}

// jobsFolder, in the state directory, holds the records of jobs.
const jobsFolder = "jobs"

// prepare opens what outlives configurations.
func (d *daemon) prepare(c *config.Config) (err error) {
	// Only the daemon writes these, of which there is one: what is unfinished is of the life before.
	if _, err := durable.CleanTemps(durable.OS, d.state, memoFile, alarmsFile, history.File); err != nil {
		d.log.Warn("what was left unfinished cannot be removed", keyObject, d.state, keyError, err)
	}
	d.memo = openMemo(d.state, d.log)
	if !lockedTogether(c, d.state) {
		d.claim = newClaim(d.single.tag, d.o.Now)
	}
	if d.access, err = access.Open(access.Options{Dir: d.state, Config: c, Now: d.o.Now, Logger: d.log}); err != nil {
		return err
	}
	if d.jobs, err = job.Open(job.Options{Dir: filepath.Join(d.state, jobsFolder), Now: d.o.Now, Logger: d.log}); err != nil {
		return err
	}
	d.metrics = metrics.New(d.sample)
	d.history = history.Open(history.Options{Dir: d.state, Schedule: scheduleOf(c), Now: d.o.Now, Logger: d.log})
	return nil
}

// lockedTogether tells whether whoever can serve the repository meets the same lock: the state
// directory lies in it.
func lockedTogether(c *config.Config, state string) bool {
	if config.IsURL(c.Repository) {
		return false
	}
	at, err := os.Stat(filepath.Dir(state))
	if err != nil {
		return false
	}
	repository, err := os.Stat(c.Repository)
	return err == nil && os.SameFile(at, repository)
}

// busy tells whether work is going on.
func (d *daemon) busy() bool {
	c := d.core.Load()
	if c.keeper.Busy() {
		return true
	}
	for _, t := range c.tasks.Standing() {
		if t.Running && t.Name != taskPrune { // that one may wait for its turn by the timer
			return true
		}
	}
	return false
}

// failed tells of something that could not be done and keeps nothing else from going on.
func (d *daemon) failed(what string, err error) {
	d.log.Warn(what, keyError, err, keyHint, holdfast.HintOf(err))
}
