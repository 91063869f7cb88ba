package startup

import (
	"cmp"
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
	// rank puts those first that somebody wanted, zero, before their age counts.
	rank int
	// facts are what the backup says of the source.
	facts holdfast.Facts
}

// An offer is everything that could be brought back, the best first.
type offer struct {
	engine     *engine.Engine
	candidates []candidate
	// outOfReach tells of places that could not be asked, unreadable of backups
	// that do not even say what they hold.
	outOfReach, unreadable []holdfast.Problem
}

// before tells which of two candidates comes first: the newer one. Of the same
// moment the repository's comes first: every byte of it is checked against what was
// recorded, while a mirror can only be checked as a database.
func before(a, b candidate) int {
	if c := cmp.Or(a.rank-b.rank, b.at.Compare(a.at)); c != 0 {
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
	f.candidates = append(f.candidates, found...)
	for _, problem := range problems {
		if _, err := holdfast.ParseBackupName(problem.Object); err == nil {
			f.unreadable = append(f.unreadable, problem)
		} else {
			f.outOfReach = append(f.outOfReach, problem)
		}
	}
	return err
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
// what a start makes by itself. Its size tells, not its facts: those of an
// encrypted backup, and of a database that another SQLite library has open, say
// nothing about its pages.
func holds(sources []holdfast.SourceMetadata, s holdfast.Source) bool {
	return slices.ContainsFunc(sources, func(md holdfast.SourceMetadata) bool {
		if md.Name != s.Name() || md.Kind != s.Kind() {
			return false
		}
		return md.Kind != holdfast.KindSQLite || md.LogicalBytes > 0
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

// backups lists the backups of a source that the engine can restore. A problem
// tells of what may be missing from the list.
func backups(ctx context.Context, e *engine.Engine, s holdfast.Source) ([]candidate, []holdfast.Problem, error) {
	list, problems, err := e.Candidates(ctx)
	var found []candidate
	for _, c := range list {
		if !holds(c.Sources, s) {
			continue
		}
		found = append(found, candidate{name: c.Name, at: c.CreatedAt.Time, from: c.From, rank: Rank(c), facts: factsOf(c.Sources, s)})
	}
	return found, problems, err
}

// Rank orders backups before their age does: an emergency backup holds what a
// restore once replaced, and one whose last proof failed will hardly restore.
func Rank(c engine.Candidate) int {
	switch {
	case c.Disproven():
		return 2
	case c.Trigger == holdfast.TriggerEmergency:
		return 1
	}
	return 0
}
