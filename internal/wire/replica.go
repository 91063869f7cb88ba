package wire

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/repo"
)

// replicas gives the engine the configured replicas. None is opened before it
// is needed: that one cannot be reached keeps nothing else from working.
func replicas(c *config.Config) []engine.Replica {
	var out []engine.Replica
	for _, r := range c.Replicas {
		rules := c.Retention
		if r.Retention != nil {
			rules = *r.Retention
		}
		out = append(out, engine.Replica{
			Name: r.Name, Location: Location(r.URL), Retention: rules.Policy(),
			Open: func(ctx context.Context) (*repo.Repository, error) {
				b, err := bucketAt(r.URL)
				if err != nil {
					return nil, err
				}
				return repo.Open(ctx, b, replicaOptions(c, r))
			},
			Make: func(ctx context.Context, id string) (*repo.Repository, error) {
				b, err := bucketAt(r.URL)
				if err != nil {
					return nil, err
				}
				if _, err := repo.Open(ctx, b, replicaOptions(c, r)); errors.Is(err, holdfast.ErrNotFound) && !config.IsURL(r.URL) {
					if err := mayLie(ctx, b.Location()); err != nil {
						return nil, err
					}
				}
				return repo.InitReplica(ctx, b, id, replicaOptions(c, r))
			},
		})
	}
	return out
}

// idOfReplicas gives the id that a repository which is gone had, as its replicas
// have it; empty if there is none yet. One that cannot be asked stops the search:
// a repository with another id could never be copied there again.
func idOfReplicas(ctx context.Context, c *config.Config) (string, error) {
	for _, replica := range replicas(c) {
		r, err := replica.Open(ctx)
		switch {
		case err == nil:
			return r.ID(), nil
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case !errors.Is(err, holdfast.ErrNotFound):
			return "", &holdfast.Error{
				Op: "make repository", Object: c.Repository,
				Err:  holdfast.Kindf(holdfast.ErrRefused, "the replica %s cannot be asked whether there was one before: %w", replica.Name, err),
				Hint: "try again when it can be reached, or take it out of the configuration",
			}
		}
	}
	return "", nil
}
