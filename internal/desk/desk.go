// Package desk is what a chat works on in a program that is no daemon: a bot that embeds
// holdfast, or a program that `holdfast run` keeps. Around the keeper that such a
// program has anyway it puts the verbs as jobs, the list of the backups, the look at how
// safe everything is, and the alarms that are judged of it.
//
// Start from [New], then [Desk.Run] beside the program and [Desk.Panel] for the chat;
// [NewPanel] and [Serve] are for the daemon, which has all the rest.
// It has no logic of its own about backups.
//
// desk.go makes one and ends it, room.go finds it a directory of its own, status.go looks
// and judges, panel.go makes and serves panels, start.go tells admins of a start.
package desk

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/lookout"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/panel"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// Files in the directory of a desk.
const (
	jobsFolder = "jobs"
	alarmsFile = "alarms.json"
)

// A Mount is how a panel is part of a bot of somebody else's.
type Mount struct {
	// Back leads from the panel to the menu of the bot; nil: there is none.
	Back *panel.Button
	// Language is spoken with whoever has not chosen one; empty: as it is configured.
	Language string
}

// Options are what a desk works with.
type Options struct {
	Config *config.Config
	Keeper *keeper.Keeper
	// State is the directory of what is remembered.
	State string
	// Standing tells how the program stands that the desk is in.
	Standing func() holdfast.Standing
	Mount
	// Alone tells that the bot is there for the panel, and has no commands of its own: Run
	// fetches what people write to it.
	Alone bool
	// Trouble is told when the panel cannot be served, with why, and, with nil, when it can
	// again; nil: nobody is.
	Trouble     func(error)
	Now         func() time.Time // nil is time.Now
	Logger      *slog.Logger     // nil discards
	ToolVersion string
}

// A Desk is everything that a chat works on. Its methods may be called side by side.
type Desk struct {
	o          Options
	log        *slog.Logger
	room       room
	jobs       *job.Runner
	lookout    *lookout.Lookout
	book       *report.Book
	operations *operation.Operations
	board      *alarm.Board
	panel      *panel.Panel
	began      time.Time

	life    context.Context //nolint:containedctx // of Run, which Close ends
	end     context.CancelFunc
	running sync.Mutex // held by Run

	// What follows is read and written by Run alone.
	proved time.Time  // when the newest backup was last verified
	found  *judgement // what was last found; nil: nothing yet

	looking sync.Mutex // one look at a time; it guards what follows
	seen    report.Status
	seenErr error
	seenAt  time.Time
}

// New makes a desk. What an earlier program left at work is looked into by Run.
func New(o Options) (*Desk, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Trouble == nil {
		o.Trouble = func(error) {}
	}
	d := &Desk{o: o, log: o.Logger, began: o.Now()}
	d.life, d.end = context.WithCancel(context.Background())
	var err error
	if d.room, err = enter(o.State, o.Logger); err != nil {
		return nil, err
	}
	if err := d.furnish(); err != nil {
		d.room.leave(d.log)
		return nil, err
	}
	return d, nil
}

// furnish makes the parts.
func (d *Desk) furnish() (err error) {
	if d.jobs, err = job.Open(job.Options{Dir: filepath.Join(d.room.dir, jobsFolder), Now: d.o.Now, Logger: d.log}); err != nil {
		return err
	}
	d.lookout = lookout.New(lookout.Options{
		Config: d.o.Config, Keeper: d.o.Keeper, Programs: func(context.Context) []holdfast.Standing { return d.standings() },
		Now: d.o.Now, Logger: d.log, ToolVersion: d.o.ToolVersion,
	})
	d.book = report.NewBook(d.lookout.List, report.BookOptions{Now: d.o.Now})
	if d.operations, err = operation.New(operation.Options{
		Keeper: d.o.Keeper, Config: d.o.Config, Book: d, Jobs: d.jobs, Now: d.o.Now, Logger: d.log, ToolVersion: d.o.ToolVersion,
	}); err != nil {
		return err
	}
	if d.panel, err = NewPanel(d.o.Config, PanelOptions{
		Core: d.Core, State: d.room.dir, Mount: d.o.Mount, Alone: d.o.Alone, Trouble: d.o.Trouble, Version: d.o.ToolVersion, Now: d.o.Now, Logger: d.log,
	}); err != nil {
		return err
	}
	d.board, err = d.newBoard()
	return err
}

// Panel is the panel that works on the desk.
func (d *Desk) Panel() *panel.Panel { return d.panel }

// newBoard makes what remembers the alarms.
func (d *Desk) newBoard() (*alarm.Board, error) {
	c := d.o.Config
	var first alarm.Sender
	if len(c.Notify.URLs) > 0 {
		s, err := alarm.Shoutrrr(c.Notify.URLs, c.Notify.SendTimeout)
		if err != nil {
			return nil, err
		}
		first = s
	}
	o := alarm.OptionsFor(c)
	o.File, o.Repository = filepath.Join(d.room.dir, alarmsFile), wire.Location(c.Repository)
	o.Sender, o.Now, o.Logger = alarm.Together(first, Services(d.panel, c.Telegram.Admins)...), d.o.Now, d.log
	board, err := alarm.New(o)
	if err != nil {
		d.log.Warn("alarms are not remembered over a restart", "error", err)
		o.File = ""
		board, err = alarm.New(o)
	}
	return board, err
}

// Core is what a panel works on.
func (d *Desk) Core() panel.Core {
	return panel.Core{
		Config: d.o.Config, Keeper: d.o.Keeper, Book: d.book, Jobs: d.jobs, Operations: d.operations,
		Status: d.Status, Standings: d.standings,
		Alarms: d.board.Standing, Next: Next(d.o.Keeper),
	}
}

// standings tell how the program stands.
func (d *Desk) standings() []holdfast.Standing { return []holdfast.Standing{d.o.Standing()} }

// Next tells when the next backup of a keeper is due.
func Next(k *keeper.Keeper) func() time.Time {
	return func() time.Time {
		if at := k.Standing().NextAt; at != nil {
			return at.Time
		}
		return time.Time{}
	}
}

// Run settles what an earlier program left, serves the panel if the bot is there for that,
// and judges alarms until ctx ends, or Close is called.
func (d *Desk) Run(ctx context.Context) error {
	d.running.Lock()
	defer d.running.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()
	if d.life.Err() != nil {
		return nil
	}
	d.settle(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { TellStart(ctx, d.panel, d.o.Config.Telegram.Admins, d.o.Standing(), d.log) })
	if d.o.Alone {
		beside.Go(func() { Serve(ctx, d.panel) })
	}
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	for {
		d.watch(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// settle finds out what became of the jobs of an earlier program. A restore of its that was
// cut was settled by the start, before anybody opened the data.
func (d *Desk) settle(ctx context.Context) {
	if e, err := d.lookout.Engine(nil); err == nil {
		if cut, err := e.Pending(); err == nil && cut == nil {
			d.operations.SetRecovered(&engine.RecoverResult{})
		}
	}
	if err := d.jobs.Settle(ctx, d.operations.Settle); err != nil && ctx.Err() == nil {
		d.log.Warn("what was asked for before the last restart cannot be looked into", "error", err)
	}
}

// Close ends Run and the jobs: what is at work may come to its end until ctx ends.
func (d *Desk) Close(ctx context.Context) {
	d.end()
	d.jobs.Close(ctx)
	if err := d.panel.Close(ctx); err != nil {
		d.log.Debug("the panel did not end in time", "error", err)
	}
	ended := make(chan struct{})
	go func() {
		d.running.Lock()
		defer d.running.Unlock()
		close(ended)
	}()
	select {
	case <-ended:
		d.room.leave(d.log)
	case <-ctx.Done(): // what it still writes there is its own
	}
}
