package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A somewhere is a place that may have backups.
type somewhere struct {
	name string // the replica; empty is the repository itself
	open func(context.Context) (*repo.Repository, error)
}

func (s somewhere) words() string {
	if s.name == "" {
		return "the repository"
	}
	return "replica " + s.name
}

// places are the repository and the replicas, the nearest first.
func (e *Engine) places() []somewhere {
	all := []somewhere{{e.standsIn, func(context.Context) (*repo.Repository, error) { return e.repository() }}}
	for _, replica := range e.o.Replicas {
		all = append(all, somewhere{replica.Name, func(ctx context.Context) (*repo.Repository, error) { return e.openReplica(ctx, replica) }})
	}
	return all
}

// openWait is how long Open waits for each place.
const openWait = 30 * time.Second

// Open opens the nearest copy of a backup that can be read, by name or "latest",
// and tells the replica that it comes from; empty is the repository. No place is
// waited for without end. The caller closes it.
func (e *Engine) Open(ctx context.Context, name string) (b *repo.Backup, from string, err error) {
	if strings.TrimSpace(name) == "" {
		return nil, "", errNoName()
	}
	var errs []error
	for _, p := range e.places() {
		b, err := bounded(ctx, openWait, func(ctx context.Context) (*repo.Backup, error) {
			r, err := p.open(ctx)
			if err != nil {
				return nil, err
			}
			info, err := told(ctx, r, name)
			if err != nil {
				return nil, err
			}
			return r.Backup(ctx, info.Name)
		})
		switch {
		case err == nil:
			return b, p.name, nil
		case ctx.Err() != nil:
			return nil, "", context.Cause(ctx)
		case errors.Is(err, holdfast.ErrUsage):
			return nil, "", err
		}
		if _, named := errors.AsType[*holdfast.Error](err); !named {
			err = &holdfast.Error{Op: "open", Object: name + " in " + p.words(), Err: err}
		}
		errs = append(errs, err)
	}
	return nil, "", foundNowhere(name, errs)
}

func errNoName() error {
	return &holdfast.Error{Op: "backup", Err: holdfast.Kindf(holdfast.ErrUsage, "no name given"), Hint: "name a backup, or latest; `holdfast list` shows them"}
}

// bounded runs fn for a limited time. What does not heed the end of its context,
// such as a file system whose server is gone, is left behind.
func bounded[T any](ctx context.Context, wait time.Duration, fn func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("no answer within %s", wait))
	done := make(chan outcome, 1)
	go func() {
		defer cancel()
		v, err := fn(ctx)
		done <- outcome{v, err}
	}()
	<-ctx.Done()
	select {
	case o := <-done:
		return o.value, o.err
	default:
		var none T
		return none, context.Cause(ctx)
	}
}
