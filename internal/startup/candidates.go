package startup

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// A candidate is something that could be brought back.
type candidate struct {
	name holdfast.BackupName // empty: a mirror whose backup is not known
	at   time.Time
	from string // the replica, or the path of the mirror; empty is the repository
	// mirror tells that it is the mirror file.
	mirror bool
	// last tells that it comes after all others: its last proof failed, or it
	// holds what a restore once replaced.
	last bool
	// facts are what the backup says of the source.
	facts holdfast.Facts
}

// An offer is everything that could be brought back, the best first.
type offer struct {
	engine     *engine.Engine
	candidates []candidate
	// outOfReach tells of places that could not be asked.
	outOfReach []holdfast.Problem
}

// before tells which of two candidates comes first: the newer one. Of the same
// moment the repository's comes first: every byte of it is checked against what was
// recorded, while a mirror can only be checked as a database.
func before(a, b candidate) int {
	if a.last != b.last {
		if a.last {
			return 1
		}
		return -1
	}
	if c := b.at.Compare(a.at); c != 0 {
		return c
	}
	switch {
	case a.mirror == b.mirror:
		return 0
	case a.mirror:
		return 1
	}
	return -1
}

// survey finds out what could be brought back.
func (p *preparation) survey(ctx context.Context) (offer, error) {
	var f offer
	if err := p.surveyEngine(ctx, &f); err != nil {
		return f, err
	}
	p.surveyMirror(&f)
	slices.SortStableFunc(f.candidates, before)
	return f, context.Cause(ctx)
}

// surveyEngine asks the repository and the replicas.
func (p *preparation) surveyEngine(ctx context.Context, f *offer) error {
	e, err := p.engine(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, holdfast.ErrNotFound):
		return nil
	case err != nil:
		f.outOfReach = append(f.outOfReach, notAsked("the repository", err))
		return nil
	case e == nil:
		return nil
	}
	f.engine = e
	found, problems, err := backups(ctx, e, p.Source)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.candidates = append(f.candidates, found...)
	f.outOfReach = append(f.outOfReach, problems...)
	if err != nil && !errors.Is(err, holdfast.ErrNotFound) {
		f.outOfReach = append(f.outOfReach, notAsked("the repository", err))
	}
	return nil
}

// engine asks for the engine once.
func (p *preparation) engine(ctx context.Context) (*engine.Engine, error) {
	if p.asked || p.Engine == nil {
		return p.eng, p.engErr
	}
	p.asked = true
	p.eng, p.engErr = p.Engine(ctx)
	return p.eng, p.engErr
}

// notAsked tells of a place whose backups are not known.
func notAsked(place string, err error) holdfast.Problem {
	return holdfast.Problem{Object: place, Severity: holdfast.Warning, Message: "could not be asked for backups: " + err.Error(), Hint: holdfast.HintOf(err)}
}

// holds tells whether a backup has anything of a source: an empty database is
// what a start makes by itself.
func holds(sources []holdfast.SourceMetadata, s holdfast.Source) bool {
	return slices.ContainsFunc(sources, func(md holdfast.SourceMetadata) bool {
		if md.Name != s.Name() || md.Kind != s.Kind() {
			return false
		}
		return md.Facts.SQLite == nil || md.Facts.SQLite.PageCount > 0
	})
}

// factsOf is what a backup says of a source.
func factsOf(sources []holdfast.SourceMetadata, s holdfast.Source) holdfast.Facts {
	for _, md := range sources {
		if md.Name == s.Name() {
			return md.Facts
		}
	}
	return holdfast.Facts{}
}

// backups lists the backups of a source that the engine can restore.
func backups(ctx context.Context, e *engine.Engine, s holdfast.Source) ([]candidate, []holdfast.Problem, error) {
	r := e.Repository()
	if r == nil {
		return nil, nil, nil
	}
	list, err := r.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	var found []candidate
	for _, info := range list {
		if info.Err != nil || !holds(info.Metadata.Sources, s) {
			continue
		}
		found = append(found, candidate{
			name: info.Name, at: info.Metadata.CreatedAt.Time,
			facts: factsOf(info.Metadata.Sources, s),
			last:  info.Disproven() || info.Metadata.Trigger == holdfast.TriggerEmergency,
		})
	}
	return found, nil, nil
}
