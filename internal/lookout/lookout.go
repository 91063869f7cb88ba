// Package lookout sees how safe the data of one configuration is, for programs that go on:
// it lists the backups, asks the replicas now and then, looks at everything, and gathers
// what alarms are judged by.
//
// Start from [New]. It judges nothing itself: what a look finds is said by package report,
// what is wrong by package alarm.
package lookout

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// SurveyFresh is how old what is known of replicas may be, and of a repository that every
// look costs requests.
const SurveyFresh = 5 * time.Minute

// listWithin is how long a repository may take to list its backups.
const listWithin = 30 * time.Second

// ErrSlow is why somebody got no answer.
var ErrSlow = errors.New("something that is looked at does not answer")

// Options are what a lookout works with.
type Options struct {
	Config *config.Config
	Keeper *keeper.Keeper
	// Programs are those that run in holdfast's care.
	Programs func(context.Context) []holdfast.Standing
	// Listed is given the backups whenever they were read; nil: nobody is.
	Listed func([]repo.Info)
	// Panel tells why the panel in the chat gets no messages; nil: there is none.
	Panel       func() *holdfast.Problem
	Now         func() time.Time
	Logger      *slog.Logger
	ToolVersion string
}

// A Lookout sees how safe the data is. Its methods may be called side by side.
type Lookout struct {
	o Options

	mu    sync.Mutex
	infos []repo.Info // the backups, as List read them last

	asking sync.Mutex // one asks the replicas at a time; it guards what follows
	survey []engine.ReplicaState
	asked  time.Time
}

// New makes a lookout. It looks at nothing.
func New(o Options) *Lookout { return &Lookout{o: o} }

// List reads the backups, for a book of them.
func (l *Lookout) List(ctx context.Context) ([]repo.Info, error) {
	r, err := l.o.Keeper.Repository(ctx)
	if err != nil {
		return nil, err
	}
	asking, cancel := context.WithTimeoutCause(ctx, listWithin, ErrSlow)
	defer cancel()
	infos, err := r.List(asking)
	if err != nil && context.Cause(asking) == ErrSlow {
		err = &holdfast.Error{Op: "list backups", Object: r.Location(), Err: errors.New("no answer in time"), Hint: "look whether the repository can be reached from here"}
	}
	if err == nil {
		l.mu.Lock()
		l.infos = infos
		l.mu.Unlock()
		if l.o.Listed != nil {
			l.o.Listed(infos)
		}
	}
	return infos, err
}

// Listed gives the backups as List read them last.
func (l *Lookout) Listed() []repo.Info {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.infos
}

// Look sees how the data stands, as `holdfast status` does; list gives the backups, nil
// reads them anew. With counts the sources are asked how much they hold.
func (l *Lookout) Look(ctx context.Context, counts bool, list func(context.Context) ([]repo.Info, error)) (report.Status, error) {
	r, missing := l.o.Keeper.Repository(ctx)
	e, err := l.o.Keeper.Engine(ctx)
	if err != nil {
		if e, err = l.Engine(missing); err != nil {
			return report.Status{}, err
		}
	}
	return report.Look(ctx, report.LookOptions{
		Config: l.o.Config, Engine: e, Repository: r, List: list, Err: missing, Now: l.o.Now(),
		MaxAge:   max(report.DefaultMaxAge, 2*l.o.Config.Schedule.Every),
		Programs: l.o.Programs(ctx), Counts: counts,
		Survey: func(ctx context.Context, here []repo.Info) []engine.ReplicaState { return l.replicas(ctx, e, here) },
	})
}

// Engine gives one without a repository, for what needs none.
func (l *Lookout) Engine(unusable error) (*engine.Engine, error) {
	return wire.Engine(l.o.Config, wire.Options{Unusable: unusable, Logger: l.o.Logger, Now: l.o.Now, ToolVersion: l.o.ToolVersion})
}

// replicas asks the replicas, if that was not done lately: each time costs requests.
func (l *Lookout) replicas(ctx context.Context, e *engine.Engine, here []repo.Info) []engine.ReplicaState {
	l.asking.Lock()
	defer l.asking.Unlock()
	if now := l.o.Now(); l.survey == nil || now.Sub(l.asked) >= SurveyFresh || now.Before(l.asked) {
		states := e.Survey(ctx, here)
		if ctx.Err() != nil {
			return states
		}
		l.asked, l.survey = now, states
	}
	return l.survey
}

// Facts are what alarms are judged by: what a look found, the backups as the book has them,
// why it has none, and since when backups are made.
func (l *Lookout) Facts(status report.Status, backups []report.Backup, unlisted error, began time.Time) alarm.Facts {
	k := l.o.Keeper
	disproven, drilled := alarm.Proofs(l.Listed())
	f := alarm.Facts{
		Status: status, Config: l.o.Config, Now: l.o.Now(), Backups: backups, Disproven: disproven,
		Unlisted: unlisted != nil && !errors.Is(unlisted, holdfast.ErrNotFound),
		Began:    began, LastSuccess: k.LastSuccess(), Failed: k.Standing().Failed, LastDrill: drilled, Gone: k.GoneSince(),
	}
	if l.o.Panel != nil {
		f.Panel = l.o.Panel()
	}
	if failure := k.Failure(); failure != nil {
		f.Failure, f.Locked = failure.Error(), errors.Is(failure, holdfast.ErrLocked)
	}
	return f
}

// A Seen is when a look was, and how the backups stood then.
type Seen struct {
	At     time.Time
	Backup holdfast.BackupStanding
	Failed bool // nothing could be seen
}

// See notes a look that has just ended.
func (l *Lookout) See(err error) Seen {
	return Seen{At: l.o.Now(), Backup: l.o.Keeper.Standing(), Failed: err != nil}
}

// Stale tells whether it is time to look again: always, save where each look costs
// requests and nothing has happened.
func (l *Lookout) Stale(last Seen) bool {
	now, age := l.o.Keeper.Standing(), l.o.Now().Sub(last.At)
	same := now.Last == last.Backup.Last && now.Failed == last.Backup.Failed && now.Error == last.Backup.Error
	return !config.IsURL(l.o.Config.Repository) || !same || last.Failed || age < 0 || age >= SurveyFresh
}
