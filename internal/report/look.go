package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// DefaultMaxAge is how old the newest backup of a source may be: a daily backup
// that is half a day late.
const DefaultMaxAge = 36 * time.Hour

// LookOptions say what to look at.
type LookOptions struct {
	Config *config.Config
	// Engine knows the replicas and the journal; it may be one without a
	// repository.
	Engine *engine.Engine
	// Repository is nil if there is none, or none that can be used; Err tells
	// which.
	Repository *repo.Repository
	Err        error
	// List gives the backups of Repository, for who has them; nil reads them anew.
	List func(context.Context) ([]repo.Info, error)
	// Now is the moment to judge by; zero is the present.
	Now time.Time
	// MaxAge is how old the newest backup of a source may be; zero is
	// DefaultMaxAge.
	MaxAge time.Duration
	// Programs are those that run in holdfast's care.
	Programs []holdfast.Standing
	// Survey asks the replicas, which hold copies of what is here; nil asks them anew.
	Survey func(ctx context.Context, here []repo.Info) []engine.ReplicaState
	// Counts asks how many records the sources hold now, which may take a
	// moment.
	Counts bool
}

// Look looks at sources, repository, replicas and programs, and judges. What
// cannot be asked is part of the verdict and no error, and so is a repository that
// takes more than half of the time that ctx has; an error is a wrong configuration, a
// journal that cannot be read, or an interruption.
func Look(ctx context.Context, o LookOptions) (Status, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.MaxAge == 0 {
		o.MaxAge = DefaultMaxAge
	}
	if errors.Is(o.Err, holdfast.ErrUsage) {
		return Status{}, o.Err
	}
	l := look{o: o, out: Status{
		Type: "status", Sources: []SourceStatus{}, Programs: o.Programs,
		Repository: RepositoryState{Location: o.Config.Repository},
	}}
	l.out.AutoBackup = new(AutoBackupOf(o.Config))
	l.repository(ctx)
	l.replicas(ctx)
	err := errors.Join(l.pending(), l.lastRestore(), l.sources(ctx))
	if ctx.Err() != nil {
		return Status{}, ctx.Err()
	}
	if err != nil {
		return Status{}, err
	}
	l.judge()
	return l.out, nil
}

// A look is what was seen so far.
type look struct {
	o   LookOptions
	out Status
	// infos are the backups that tell how well the present data is kept, newest
	// first: those of the repository, or, if it cannot be asked, of the replicas.
	infos []repo.Info
	// unusable is why the repository cannot be asked; nil if it can, or does not
	// exist.
	unusable error
}

// repository looks into the repository. One that cannot be asked is part of the
// verdict.
func (l *look) repository(ctx context.Context) {
	r := l.o.Repository
	switch {
	case r != nil:
		l.unusable = l.inTime(ctx, r)
	case !errors.Is(l.o.Err, holdfast.ErrNotFound):
		l.unusable = l.o.Err
	}
	if l.unusable != nil {
		l.infos, l.out.Hold = nil, nil
		l.out.Repository = RepositoryState{Location: l.out.Repository.Location, Exists: r != nil, Error: Text(l.unusable)}
	}
}

// errLate is why a repository that did not answer cannot be asked.
var errLate = errors.New("no answer in time")

// inTime looks into the repository. Of the time that is left, if it is limited, half
// is for the repository: others are asked after it.
func (l *look) inTime(ctx context.Context, r *repo.Repository) error {
	end, limited := ctx.Deadline()
	if !limited {
		return l.inside(ctx, r)
	}
	asking, cancel := context.WithTimeoutCause(ctx, time.Until(end)/2, errLate)
	defer cancel()
	err := l.inside(asking, r)
	if err != nil && context.Cause(asking) == errLate {
		return &holdfast.Error{Op: "read repository", Object: r.Location(), Err: errLate, Hint: "look whether it can be reached from here"}
	}
	return err
}

func (l *look) inside(ctx context.Context, r *repo.Repository) error {
	list := l.o.List
	if list == nil {
		list = r.List
	}
	infos, err := list(ctx)
	if err != nil {
		return err
	}
	l.infos, l.out.Repository = infos, newRepositoryState(ctx, r, infos)
	if l.out.Hold, err = HoldOn(ctx, r); err != nil {
		return err
	}
	hidden, err := HiddenIn(ctx, r)
	l.out.Repository.HeldBytes = HeldBytes(hidden)
	return err
}

// replicas asks the replicas. What they have is what there is, if the repository
// cannot tell.
func (l *look) replicas(ctx context.Context) {
	if len(l.o.Config.Replicas) == 0 {
		return
	}
	survey := l.o.Survey
	if survey == nil {
		survey = l.o.Engine.Survey
	}
	states := survey(ctx, l.infos)
	l.out.Replicas = NewReplicas(states, l.o.Now)
	if !l.out.Repository.Exists || l.unusable != nil {
		l.infos = leftIn(states)
	}
}

// pending looks for a restore that was cut.
func (l *look) pending() error {
	p, err := l.o.Engine.Pending()
	if err == nil && p != nil {
		l.out.Pending = &Pending{Op: p.Op, Backup: p.Backup, Begun: p.Begun}
	}
	return err
}

// lastRestore looks for what a rollback would undo.
func (l *look) lastRestore() error {
	last, err := l.o.Engine.LastRestore()
	if err == nil && last != nil {
		told := NewLastRestore(*last)
		l.out.LastRestore = &told
	}
	return err
}

// sources glances at each source and finds its newest backup.
func (l *look) sources(ctx context.Context) error {
	l.infos = slices.DeleteFunc(slices.Clone(l.infos), ofReplacedState)
	sources, err := wire.Sources(l.o.Config)
	if err != nil {
		return err
	}
	for _, s := range sources {
		item := SourceStatus{Name: s.Name(), Kind: s.Kind(), Path: s.Target().Path}
		seen, err := inspect(ctx, s, l.o.Counts)
		if err != nil {
			item.Error = err.Error()
		} else {
			item.Exists, item.Bytes = seen.Exists, seen.Bytes
			if f := seen.Facts.Chroma; f != nil {
				item.Collections = len(f.Collections)
			}
			if f := seen.Facts.SQLite; f != nil {
				item.Tables = len(f.Tables)
			}
			if n, ok := seen.Facts.Records(); ok && seen.Exists {
				item.Records = &n
			}
		}
		if last, ok := newestOf(l.infos, s.Name()); ok {
			at := last.Metadata.CreatedAt
			item.LastBackup, item.LastAt = last.Name, &at
			item.AgeSeconds = max(0, int64(l.o.Now.Sub(at.Time)/time.Second))
			item.Stale = time.Duration(item.AgeSeconds)*time.Second > l.o.MaxAge
		}
		l.out.Sources = append(l.out.Sources, item)
	}
	return nil
}

// remoteGlance bounds how long somebody who asks how things are waits for a server.
const remoteGlance = 5 * time.Second

// inspect glances at a source.
func inspect(ctx context.Context, s holdfast.Source, counts bool) (holdfast.Inspection, error) {
	if !s.Target().Remote {
		return s.Inspect(ctx, holdfast.InspectOptions{Counts: counts})
	}
	bounded, cancel := context.WithTimeoutCause(ctx, remoteGlance, fmt.Errorf("the server does not answer within %v", remoteGlance))
	defer cancel()
	seen, err := s.Inspect(bounded, holdfast.InspectOptions{Counts: counts})
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		err = context.Cause(bounded)
	}
	return seen, err
}

// leftIn gives the backups that are in any replica, newest first.
func leftIn(states []engine.ReplicaState) []repo.Info {
	var left []repo.Info
	for _, s := range states {
		left = append(left, slices.DeleteFunc(slices.Clone(s.Backups), func(i repo.Info) bool { return i.Metadata == nil })...)
	}
	slices.SortStableFunc(left, func(a, b repo.Info) int { return b.Metadata.CreatedAt.Compare(a.Metadata.CreatedAt.Time) })
	return left
}

// ofReplacedState tells that a backup holds what a restore replaced: it says
// nothing of how well the present data is kept.
func ofReplacedState(i repo.Info) bool {
	return i.Metadata != nil && i.Metadata.Trigger == holdfast.TriggerEmergency
}

// newestOf finds the newest usable backup that holds a source.
func newestOf(infos []repo.Info, source string) (repo.Info, bool) {
	for _, i := range infos {
		if i.Err != nil || i.Metadata == nil {
			continue
		}
		if slices.ContainsFunc(i.Metadata.Sources, func(s holdfast.SourceMetadata) bool { return s.Name == source }) {
			return i, true
		}
	}
	return repo.Info{}, false
}

func newRepositoryState(ctx context.Context, r *repo.Repository, infos []repo.Info) RepositoryState {
	s := RepositoryState{Location: r.Location(), Exists: true, Backups: len(infos)}
	if free, known, err := r.Free(ctx); err == nil && known {
		s.FreeBytes = &free
	}
	for _, i := range infos {
		if i.Err != nil || i.Metadata == nil {
			s.Unusable++
			continue
		}
		s.LogicalBytes += i.Metadata.LogicalBytes
		s.StoredBytes += i.Metadata.StoredBytes
		if p, ok := i.Proven(); ok && !ofReplacedState(i) && (s.ProvenAt == nil || p.At.After(s.ProvenAt.Time)) {
			at := p.At
			s.LastProven, s.ProvenAt, s.ProvenBy = i.Name, &at, p.Kind
		}
		if p, held := i.Drilled(); held && p.OK && (s.DrilledAt == nil || p.At.After(s.DrilledAt.Time)) {
			at := p.At
			s.LastDrilled, s.DrilledAt = i.Name, &at
		}
	}
	return s
}
