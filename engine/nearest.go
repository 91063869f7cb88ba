package engine

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A backup may be in several places: the repository, and replicas. What reads
// one takes the nearest copy that can be used, and says which.

// found is a backup where it was found.
type found struct {
	info repo.Info
	at   *repo.Repository
	from string // the replica; empty is the repository itself
	// replica is set with from.
	replica Replica
	// passed tells why nearer places were passed over.
	passed []holdfast.Problem
	// newer tells that a newer backup lacks what was asked for.
	newer []holdfast.Problem
}

// told is what is worth knowing of how it was found.
func (f *found) told() []holdfast.Problem { return slices.Concat(f.passed, f.newer) }

// words says where a backup comes from.
func (f *found) words() string {
	if f.from == "" {
		return string(f.info.Name)
	}
	return string(f.info.Name) + " from the replica " + f.from
}

// find finds the nearest usable copy of a backup, by name or "latest", leaving
// out some places. A copy is usable if its metadata and its manifest can be
// read, or could be with a key.
func (e *Engine) find(ctx context.Context, name string, without []string) (*found, error) {
	return e.findBy(ctx, name, without, usable)
}

// findBy is find with a test of its own of what is usable.
func (e *Engine) findBy(ctx context.Context, name string, without []string, usable usability) (*found, error) {
	if strings.TrimSpace(name) == "" {
		return nil, errNoName()
	}
	var passed []holdfast.Problem
	var errs []error
	pass := func(place string, err error) {
		errs = append(errs, err)
		if errors.Is(err, holdfast.ErrNotFound) {
			return // where it was found says it all
		}
		passed = append(passed, holdfast.Problem{Severity: holdfast.Warning, Object: place, Message: "passed over: " + err.Error(), Hint: holdfast.HintOf(err)})
	}
	if !slices.Contains(without, e.standsIn) {
		r, err := e.repository()
		var info repo.Info
		if err == nil {
			info, err = usable(ctx, r, name)
		}
		if err == nil {
			return &found{info: info, at: r, from: e.standsIn, passed: e.passed}, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if errors.Is(err, holdfast.ErrUsage) {
			return nil, err
		}
		pass("the repository", err)
	}
	for _, replica := range e.o.Replicas {
		if slices.Contains(without, replica.Name) {
			continue
		}
		r, err := e.openReplica(ctx, replica)
		var info repo.Info
		if err == nil {
			info, err = usable(ctx, r, name)
		}
		if err == nil {
			return &found{info: info, at: r, from: replica.Name, replica: replica, passed: passed}, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		pass("replica "+replica.Name, err)
	}
	return nil, foundNowhere(name, errs)
}

// foundNowhere sums up why a backup was found nowhere. Places that know nothing
// of it say no more than the first.
func foundNowhere(name string, errs []error) error {
	telling := slices.DeleteFunc(slices.Clone(errs[min(1, len(errs)):]), func(err error) bool { return errors.Is(err, holdfast.ErrNotFound) })
	if len(errs) == 0 {
		return &holdfast.Error{Op: "find backup", Object: name, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no further copy of it")}
	}
	return errors.Join(append(errs[:1:1], telling...)...)
}

// A usability finds a backup in one place, and tells why it is of no use.
type usability func(ctx context.Context, r *repo.Repository, name string) (repo.Info, error)

// told is the usability for who only wants to know what a backup says of itself.
func told(ctx context.Context, r *repo.Repository, name string) (repo.Info, error) {
	info, err := r.Stat(ctx, name)
	if err == nil {
		err = info.Err
	}
	return info, err
}

// usable is the usability for who wants to read it.
func usable(ctx context.Context, r *repo.Repository, name string) (repo.Info, error) {
	info, err := told(ctx, r, name)
	if err != nil {
		return repo.Info{}, err
	}
	b, err := r.Backup(ctx, info.Name)
	if errors.Is(err, repo.ErrNoKey) {
		return info, nil // there is nothing wrong with it; who opens it is told
	}
	if err != nil {
		return repo.Info{}, err
	}
	return info, b.Close()
}

// A Copy is a backup where it was found.
type Copy struct {
	Backup repo.Info
	At     *repo.Repository
	From   string // the replica; empty: the repository itself
	// Problems tell why nearer places could not be used.
	Problems []holdfast.Problem
}

// Nearest gives the nearest copy of a backup that can be read.
func (e *Engine) Nearest(ctx context.Context, name string) (*Copy, error) {
	f, err := e.find(ctx, name, nil)
	return f.asCopy(), err
}

// Describe gives the nearest copy of a backup that says what it is; more of it
// may be damaged.
func (e *Engine) Describe(ctx context.Context, name string) (*Copy, error) {
	f, err := e.findBy(ctx, name, nil, told)
	return f.asCopy(), err
}

func (f *found) asCopy() *Copy {
	if f == nil {
		return nil
	}
	return &Copy{Backup: f.info, At: f.at, From: f.from, Problems: f.told()}
}

// standIn gives an engine that can work although the repository is gone or
// cannot be reached: over the replica that has the nearest copy of a backup, or of
// the parts of one.
func (e *Engine) standIn(ctx context.Context, name string, only []string) (*Engine, error) {
	if e.o.Repository != nil || len(e.o.Replicas) == 0 {
		return e, nil
	}
	f, err := e.findParts(ctx, name, only, nil)
	if err != nil {
		return nil, err
	}
	stand := e.over(f.at, f.replica)
	stand.standsIn, stand.passed = f.from, f.passed
	for _, replica := range e.o.Replicas {
		if replica.Name != f.from {
			stand.o.Replicas = append(stand.o.Replicas, replica)
		}
	}
	return stand, nil
}

// A search walks over the copies of a backup, the nearest first, because one
// turned out to be damaged where only reading it all shows that.
type search struct {
	e       *Engine
	name    string
	only    []string // the parts that are wanted
	at      *found
	without []string
	passed  []holdfast.Problem // why copies were left
}

func (e *Engine) search(name string, only []string) *search {
	return &search{e: e, name: name, only: only}
}

// next gives the next copy. After the first it is one of the same backup.
func (s *search) next(ctx context.Context) (*found, error) {
	if s.at == nil {
		var err error
		s.at, err = s.e.findParts(ctx, s.name, s.only, nil)
		return s.at, err
	}
	before, newer := s.at.info, s.at.newer
	s.without = append(s.without, s.at.from)
	for {
		f, err := s.e.find(ctx, string(before.Name), s.without)
		if err != nil {
			return nil, err
		}
		if f.info.Metadata.CreatedAt.Equal(before.Metadata.CreatedAt.Time) {
			f.newer = newer
			s.at = f
			return f, nil
		}
		s.without = append(s.without, f.from) // another backup of that name
	}
}

// leave tells whether there is a further copy to take because the present one
// is damaged, and remembers why.
func (s *search) leave(ctx context.Context, err error) bool {
	if s.at == nil || !errors.Is(err, holdfast.ErrDamaged) || ctx.Err() != nil {
		return false
	}
	damaged := s.at
	if _, none := s.next(ctx); none != nil {
		return false
	}
	place := "the repository"
	if damaged.from != "" {
		place = "replica " + damaged.from
	}
	s.passed = append(s.passed, holdfast.Problem{
		Severity: holdfast.Warning, Object: place, Message: "its copy was left: " + err.Error(),
		Hint: "`holdfast verify " + string(damaged.info.Name) + "` tells more; delete that copy, `holdfast replicate` from a good one",
	})
	return true
}

// problems tell why copies were passed over or left.
func (s *search) problems() []holdfast.Problem {
	if s.at == nil {
		return s.passed
	}
	return slices.Concat(s.at.told(), s.passed)
}
