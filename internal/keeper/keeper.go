// Package keeper makes the backups of a program while it runs: one when it starts,
// one at every interval and at the moments of cron, one soon after a change, a last
// one when it ends. A bot that embeds holdfast and the supervisor of a child have one
// each. A daemon has one, too: its own start is no event for the data, so that it goes
// on with the schedule where the one before left off, and it proves its newest backup
// at once.
//
// Start from [New], then [Keeper.Run] beside the program, [Keeper.Backup] and
// [Keeper.Restore] for what somebody asks for, [Keeper.With] for every other verb that
// writes, and [Keeper.Last] when it ends, or [Keeper.Finish] for a daemon.
// [Follow] is what comes after every backup, on any surface: copies for the
// replicas, and pruning.
//
// What it promises: a change is in a backup that is begun at the latest half of
// on_change after it, however busy the writer is, also if the process is suspended in
// between (then within seconds of its waking). Nothing is stored when nothing has
// changed. A repository that cannot be reached, or is in use, is tried again and
// never kills the program; [Keeper.Standing] tells how it is. One backup is made at a
// time, and what follows it keeps no later one from being made.
//
// The ideas lie in files of their own: open.go (the repository, made on first use),
// attempt.go (one backup, and waiting for a locked repository), follow.go and care.go
// (what follows it), watch.go (which change is due when), run.go (the loop),
// daemon.go (how a daemon starts), proof.go (how it proves), last.go and finish.go
// (the end), restore.go, use.go (the verbs of others), standing.go and counts.go.
package keeper

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/schedule"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// Options are what a keeper works with.
type Options struct {
	// Config says where the repository is, and when backups are made.
	Config *config.Config
	// Sources take the place of the configured ones, if there are any.
	Sources []holdfast.Source
	// Owner lets go of the sources around a restore; nil if nobody has to.
	Owner       engine.Owner
	Observer    holdfast.Observer
	Logger      *slog.Logger // nil discards
	ToolVersion string
	// Standby names the other instance that makes the backups of the same data;
	// empty if this one does. It is asked often. Nil is always empty.
	Standby func() string
	// Opening tells for how much longer the program is opening its data, for which
	// it wants to be alone: who changes the journal mode of a SQLite database, say,
	// fails if he meets a reader. Backups of the loop begin later; one that somebody
	// asks for does not. It is asked often. Nil is always zero.
	Opening func() time.Duration
	// Around is told before and after each backup and restore; nil: what is
	// configured to be told.
	Around engine.Around
	// Daemon keeps a daemon's schedule: a start is no reason for a backup. One is
	// made only if an interval or a moment of cron has passed since the newest, or
	// something has changed; the newest is proven at once, however large it is.
	Daemon bool
	// Changed is called after changes of what Standing tells.
	Changed func()
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
	// Timer waits; nil is schedule.RealTime.
	Timer schedule.Timer
}

// A Keeper makes the backups of a program. Its methods may be called side by side.
type Keeper struct {
	o     Options
	log   *slog.Logger
	clock *schedule.Clock
	// opener gives what makes a backup, and makes the repository first if there
	// is none.
	opener func(ctx context.Context, req engine.BackupRequest) (worker, error)
	// reader gives what reads backups, newest which is the newest.
	reader func(ctx context.Context) (worker, error)
	newest func(ctx context.Context) (repo.Info, error)

	answer time.Duration // how long a repository may take to answer

	work    turn // to write to the repository, or to replace the sources
	caring  turn // to do what follows a backup
	opening turn // to open the repository; guards what lies in opened
	opened  opened
	former  former        // what was there before it
	wake    chan struct{} // the loop is to look at once
	cares   chan struct{} // there is something in owedCare
	toProve chan struct{} // the newest backup is to be proven
	tally   tally         // what is at work

	mu      sync.Mutex
	sources []holdfast.Source
	age     int // of sources: how often they were set
	watch   watch
	running *attempt
	started bool
	state
}

// state is what the keeper knows of its backups. The lock of the keeper guards it.
type state struct {
	last        *repo.Info // the newest backup, as far as it is known
	lastChecked time.Time  // when nothing was found to have changed since it
	unsaved     time.Time  // when the first change that no backup holds was made, at the earliest
	failed      int64      // attempts in a row
	failure     error      // of the last attempt
	told        string     // the failure that was logged last
	toldAt      time.Duration
	problems    []holdfast.Problem
	follows     []holdfast.Problem // of what follows a backup
	standby     string

	owed     holdfast.Trigger // a backup to be made at once; empty: none
	distrust bool             // the newest backup is damaged: it does not count as one
	next     time.Duration    // when the interval is over; zero: never
	ticks    *schedule.Ticks  // of cron
	retryAt  time.Duration    // not before this, after a failure
	appearBy time.Duration    // when the sources must be there after the start
	openBy   time.Duration    // when the program has its data open
	lasts    int              // calls of Last that are at work
	task     holdfast.TaskStanding
	// taskBegun is when the periodic backup that is being made, or the last one, began.
	taskBegun time.Duration
	unwatched []holdfast.Problem // sources of which no change is seen
	counts    Counts
	proofs
	finishing bool                    // no more is begun
	stop      context.CancelCauseFunc // ends what the loop does

	lastAttempt *attempt // the newest that succeeded
	owedCare    *owedCare
	hurry       func()        // ends what follows a backup now
	behind      bool          // replicas lack something, or may
	behindNext  time.Duration // when that is tried again
	prunedAt    time.Duration // zero: not yet
}

// New makes a keeper. Nothing is opened.
func New(o Options) (*Keeper, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Standby == nil {
		o.Standby = func() string { return "" }
	}
	if o.Opening == nil {
		o.Opening = func() time.Duration { return 0 }
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timer == nil {
		o.Timer = schedule.RealTime
	}
	if o.Around == nil {
		o.Around = wire.Around(o.Config, o.Logger, o.ToolVersion)
	}
	if err := schedule.CheckCron(o.Config.Schedule.Cron); err != nil {
		return nil, &holdfast.Error{Op: "schedule", Err: err}
	}
	sources := o.Sources
	if len(sources) == 0 {
		var err error
		if sources, err = wire.Sources(o.Config); err != nil {
			return nil, err
		}
	}
	k := &Keeper{
		o: o, log: o.Logger, answer: openLimit, clock: schedule.NewClock(o.Now), sources: sources,
		work: newTurn(), caring: newTurn(), opening: newTurn(),
		wake: make(chan struct{}, 1), cares: make(chan struct{}, 1), toProve: make(chan struct{}, 1),
		watch: watch{within: o.Config.Schedule.OnChange},
	}
	k.opener, k.newest = k.forBackup, k.newestBackup
	k.reader = func(ctx context.Context) (worker, error) { return k.Engine(ctx) }
	k.ticks = k.clock.Ticks(o.Config.Schedule.Cron)
	k.counts.Failures = map[holdfast.Trigger]int64{}
	k.task = holdfast.TaskStanding{Name: TaskName, EveryMS: o.Config.Schedule.Every.Milliseconds()}
	if _, err := k.engineOver(nil, nil); err != nil { // what is wrong with the configuration is told now
		return nil, err
	}
	return k, nil
}

// SetSources replaces the sources, from the next backup on: the data lies elsewhere
// now. That one is made soon.
func (k *Keeper) SetSources(sources []holdfast.Source) {
	k.mu.Lock()
	k.sources = slices.Clone(sources)
	k.age++
	k.beginAnew()
	k.mu.Unlock()
	k.look()
	k.o.Changed()
}

// beginAnew forgets what is known of the present state of the sources. A backup
// has to find out what of it is saved.
func (k *Keeper) beginAnew() {
	k.watch.reset()
	k.retryAt = 0
	if k.owed == "" {
		k.owed = holdfast.TriggerChange
	}
}

// look makes the loop look at once at what is due.
func (k *Keeper) look() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}
