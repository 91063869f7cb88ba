package wire

import (
	"context"
	"errors"
	"log/slog"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/repo"
)

// replicas gives the engine the configured replicas. None is opened before it
// is needed: that one cannot be reached keeps nothing else from working.
func replicas(c *config.Config, log *slog.Logger) []engine.Replica {
	var out []engine.Replica
	for _, r := range c.Replicas {
		rules := c.Retention
		if r.Retention != nil {
			rules = *r.Retention
		}
		out = append(out, engine.Replica{
			Name: r.Name, Location: Location(r.URL), Retention: rules.Policy(), Limits: limits(c, r.URL),
			Open: func(ctx context.Context) (*repo.Repository, error) {
				b, err := bucketAt(c, r.URL, log)
				if err != nil {
					return nil, err
				}
				return repo.Open(ctx, b, replicaOptions(c, r))
			},
			Make: func(ctx context.Context, id string) (*repo.Repository, error) {
				b, err := bucketAt(c, r.URL, log)
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

// replicaOptions are what a replica is opened with. One of which no encryption is
// configured takes its copies as they are stored, and is opened with the keys of
// the repository; one that has its own is written to and opened with nothing else.
func replicaOptions(c *config.Config, r config.Replica) repo.Options {
	o := repo.Options{Own: r.OwnForm()}
	if r.OwnKeys() {
		return encrypted(o, r.Encryption)
	}
	o.Keys = encrypted(repo.Options{}, c.Encryption).Keys
	return o
}

// replicaLeft gives a replica of a repository that is gone; nil if there is none
// yet. One that cannot be asked stops the search: a repository with another id
// could never be copied there again. One that has the encryption of the repository
// comes before one that has its own.
func replicaLeft(ctx context.Context, c *config.Config) (*repo.Repository, error) {
	var left *repo.Repository
	for _, replica := range replicas(c, nil) {
		r, err := replica.Open(ctx)
		switch {
		case err == nil:
			if left == nil || left.OwnEncryption() && !r.OwnEncryption() {
				left = r
			}
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !errors.Is(err, holdfast.ErrNotFound):
			return nil, &holdfast.Error{
				Op: "make repository", Object: c.Repository,
				Err:  holdfast.Kindf(holdfast.ErrRefused, "the replica %s cannot be asked whether there was one before: %w", replica.Name, err),
				Hint: "try again when it can be reached, or take it out of the configuration",
			}
		}
	}
	return left, nil
}
