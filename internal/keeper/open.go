package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

const (
	// openLimit is how long a repository may take to answer.
	openLimit = 10 * time.Second
	// createLimit is how long it may take to make one.
	createLimit = time.Minute
	// unreachableFor is how long nobody asks again for a repository that did not
	// answer: what only wants to show something need not wait each time.
	unreachableFor = 5 * time.Second
)

// opened is what is known of the repository. The turn to open guards it.
type opened struct {
	repository *repo.Repository
	err        error         // why it could not be used
	askAgain   time.Duration // when that is to be found out anew

	engine *engine.Engine // over repository, with the sources of this age
	age    int
}

// Repository gives the repository that exists. ErrNotFound tells that there is none
// yet: the first backup makes it.
func (k *Keeper) Repository(ctx context.Context) (*repo.Repository, error) {
	if err := k.opening.take(ctx); err != nil {
		return nil, err
	}
	defer k.opening.pass()
	return k.known(ctx)
}

// known gives the repository without asking twice.
func (k *Keeper) known(ctx context.Context) (*repo.Repository, error) {
	switch {
	case k.opened.repository != nil:
		return k.opened.repository, nil
	case k.opened.err != nil && k.clock.Passed() < k.opened.askAgain:
		return nil, k.opened.err
	}
	return k.ask(ctx)
}

// ask finds out whether the repository is there. The one that was open before goes
// on being used, for it knows its keys.
func (k *Keeper) ask(ctx context.Context) (*repo.Repository, error) {
	o := &k.opened
	r, err := within(ctx, k.answer, k.location(), func(ctx context.Context) (*repo.Repository, error) {
		return wire.OpenRepository(ctx, k.o.Config)
	})
	switch {
	case err == nil:
		k.former.found(k, r.ID())
		if o.repository == nil || o.repository.ID() != r.ID() {
			o.repository, o.engine = r, nil
		}
		o.err = nil
		return o.repository, nil
	case ctx.Err() != nil:
		return nil, err
	case errors.Is(err, holdfast.ErrNotFound):
		k.former.found(k, "")
		o.repository, o.engine, o.err = nil, nil, nil
	default:
		o.err, o.askAgain = err, k.clock.Passed()+unreachableFor
	}
	return nil, err
}

// within bounds the time of something that another machine may have to answer.
func within[T any](ctx context.Context, limit time.Duration, place string, fn func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	v, err := fn(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = &holdfast.Error{Op: "open repository", Object: place, Err: &unansweredError{limit, err}, Hint: "look whether it can be reached from here; it is tried again"}
	}
	return v, err
}

// An unansweredError says that a place took too long. What the parts below said
// about that, each with the place again, tells people nothing more.
type unansweredError struct {
	limit time.Duration
	err   error
}

func (u *unansweredError) Error() string { return fmt.Sprintf("it did not answer within %s", u.limit) }
func (u *unansweredError) Unwrap() error { return u.err }

// location is where the repository is, as people see it.
func (k *Keeper) location() string { return wire.Location(k.o.Config.Repository) }

// Engine gives an engine over the repository that exists. If that cannot be used
// and there are replicas, the engine knows why and works with those.
func (k *Keeper) Engine(ctx context.Context) (*engine.Engine, error) {
	if err := k.opening.take(ctx); err != nil {
		return nil, err
	}
	defer k.opening.pass()
	r, err := k.known(ctx)
	switch {
	case err == nil:
		return k.engineOf(r)
	case len(k.o.Config.Replicas) == 0, errors.Is(err, holdfast.ErrUsage), ctx.Err() != nil:
		return nil, err
	}
	return k.engineOver(nil, err)
}

// engineOf gives the engine over the repository that is open.
func (k *Keeper) engineOf(r *repo.Repository) (*engine.Engine, error) {
	k.mu.Lock()
	age := k.age
	k.mu.Unlock()
	if k.opened.engine != nil && k.opened.age == age {
		return k.opened.engine, nil
	}
	e, err := k.engineOver(r, nil)
	if err == nil {
		k.opened.engine, k.opened.age = e, age
	}
	return e, err
}

// engineOver makes an engine with the present sources.
func (k *Keeper) engineOver(r *repo.Repository, unusable error) (*engine.Engine, error) {
	k.mu.Lock()
	sources := slices.Clone(k.sources)
	k.mu.Unlock()
	return wire.Engine(k.o.Config, wire.Options{
		Repository: r, Unusable: unusable, Sources: sources, Owner: k.o.Owner, Around: k.o.Around, Observer: k.o.Observer,
		Logger: quiet(k.log), Now: k.o.Now, ToolVersion: k.o.ToolVersion,
	})
}

// forBackup gives the engine for a backup. The first one makes the repository, but
// only once nothing is known to stand in its way: a mistyped path leaves nothing
// behind.
func (k *Keeper) forBackup(ctx context.Context, req engine.BackupRequest) (worker, error) {
	if err := k.opening.take(ctx); err != nil {
		return nil, err
	}
	defer k.opening.pass()
	r, err := k.ask(ctx)
	if errors.Is(err, holdfast.ErrNotFound) {
		r, err = k.create(ctx, req)
	}
	if err != nil {
		return nil, err
	}
	return k.engineOf(r)
}

// create makes the repository.
func (k *Keeper) create(ctx context.Context, req engine.BackupRequest) (*repo.Repository, error) {
	e, err := k.engineOver(nil, nil)
	if err != nil {
		return nil, err
	}
	if err := e.Preflight(ctx, req); err != nil {
		return nil, err
	}
	r, err := within(ctx, createLimit, k.location(), func(ctx context.Context) (*repo.Repository, error) {
		r, made, err := wire.CreateRepository(ctx, k.o.Config)
		if made {
			k.log.Info("repository created", keyRepository, r.Location())
		}
		return r, err
	})
	if err != nil {
		return nil, err
	}
	k.former.found(k, r.ID())
	k.opened.repository, k.opened.engine = r, nil
	return r, nil
}
