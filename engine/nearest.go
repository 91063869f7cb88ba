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
}

// words says where a backup comes from.
func (f *found) words() string {
	if f.from == "" {
		return string(f.info.Name)
	}
	return string(f.info.Name) + " from the replica " + f.from
}

// find finds the nearest usable copy of a backup, by name or "latest", leaving
// out some places. A copy is usable if its metadata and its manifest can be
// read.
func (e *Engine) find(ctx context.Context, name string, without []string) (*found, error) {
	if strings.TrimSpace(name) == "" {
		return nil, &holdfast.Error{Op: "backup", Err: holdfast.Kindf(holdfast.ErrUsage, "no name given"), Hint: "name a backup, or latest; `holdfast list` shows them"}
	}
	var passed []holdfast.Problem
	var errs []error
	pass := func(place string, err error) {
		errs = append(errs, err)
		passed = append(passed, holdfast.Problem{Severity: holdfast.Warning, Object: place, Message: "passed over: " + err.Error(), Hint: holdfast.HintOf(err)})
	}
	if !slices.Contains(without, "") {
		r, err := e.repository()
		var info repo.Info
		if err == nil {
			info, err = usable(ctx, r, name)
		}
		if err == nil {
			return &found{info: info, at: r}, nil
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

// usable finds a backup in one place.
func usable(ctx context.Context, r *repo.Repository, name string) (repo.Info, error) {
	info, err := r.Stat(ctx, name)
	if err == nil {
		err = info.Err
	}
	if err != nil {
		return repo.Info{}, err
	}
	b, err := r.Backup(ctx, info.Name)
	if err != nil {
		return repo.Info{}, err
	}
	return info, b.Close()
}

// Nearest gives the nearest usable copy of a backup: what it says of itself, the
// repository it is in, and the name of the replica, empty for the repository
// itself. The problems tell why nearer places were passed over.
func (e *Engine) Nearest(ctx context.Context, name string) (info repo.Info, at *repo.Repository, from string, passed []holdfast.Problem, err error) {
	f, err := e.find(ctx, name, nil)
	if err != nil {
		return repo.Info{}, nil, "", nil, err
	}
	return f.info, f.at, f.from, f.passed, nil
}

// standIn gives an engine that can work although the repository is gone or
// cannot be reached: over the replica that has the nearest copy of a backup.
func (e *Engine) standIn(ctx context.Context, name string) (*Engine, error) {
	if e.o.Repository != nil || len(e.o.Replicas) == 0 {
		return e, nil
	}
	f, err := e.find(ctx, name, nil)
	if err != nil {
		return nil, err
	}
	stand := e.over(f.at, f.replica)
	stand.standsIn, stand.passed = f.from, f.passed
	return stand, nil
}
