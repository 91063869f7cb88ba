package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// A Replica is a further repository that holds copies of the backups.
type Replica struct {
	Name     string
	Location string // where it is, without secrets
	// Open opens it; ErrNotFound if there is none yet.
	Open func(context.Context) (*repo.Repository, error)
	// Make opens it as a replica of the repository of this id, and makes it
	// first if there is none.
	Make func(ctx context.Context, id string) (*repo.Repository, error)
	// Retention is its own.
	Retention retention.Policy
	// Limits says, in sentences and without asking the replica, what it cannot
	// promise; nil if it promises what others do.
	Limits func() []string
}

// Replicas gives the configured replicas, in their order.
func (e *Engine) Replicas() []Replica { return slices.Clone(e.o.Replicas) }

// chosenReplicas gives the replicas of these names or places; none means all.
func (e *Engine) chosenReplicas(refs []string) ([]Replica, error) {
	if len(e.o.Replicas) == 0 {
		return nil, &holdfast.Error{Op: "replica", Err: holdfast.Kindf(holdfast.ErrUsage, "no replica is configured"), Hint: "name one with --replica URL, or in the configuration: replicas: [{url: …}]"}
	}
	if len(refs) == 0 {
		return e.o.Replicas, nil
	}
	var chosen []Replica
	for _, ref := range refs {
		i := slices.IndexFunc(e.o.Replicas, func(r Replica) bool { return r.Name == ref || r.Location == ref })
		if i < 0 {
			var names []string
			for _, r := range e.o.Replicas {
				names = append(names, r.Name)
			}
			return nil, &holdfast.Error{Op: "replica", Object: ref, Err: holdfast.Kindf(holdfast.ErrUsage, "no such replica is configured"), Hint: "there are: " + strings.Join(names, ", ")}
		}
		if !slices.ContainsFunc(chosen, func(r Replica) bool { return r.Name == e.o.Replicas[i].Name }) {
			chosen = append(chosen, e.o.Replicas[i])
		}
	}
	return chosen, nil
}

// OnReplica gives an engine that works on a replica in place of the repository.
// Without one it fails and matches ErrNotFound.
func (e *Engine) OnReplica(ctx context.Context, ref string) (*Engine, error) {
	chosen, err := e.chosenReplicas([]string{ref})
	if err != nil {
		return nil, err
	}
	r, err := e.openReplica(ctx, chosen[0])
	if err != nil {
		return nil, err
	}
	return e.over(r, chosen[0]), nil
}

// openReplica opens a replica, which must be one of this repository if that is
// known.
func (e *Engine) openReplica(ctx context.Context, replica Replica) (*repo.Repository, error) {
	r, err := replica.Open(ctx)
	if err == nil && e.o.Repository != nil {
		err = r.MustBe(e.o.Repository.ID())
	}
	if err != nil {
		return nil, &holdfast.Error{Op: "replica", Object: replica.Name, Err: err}
	}
	return r, nil
}

// over gives an engine like e for another repository.
func (e *Engine) over(r *repo.Repository, replica Replica) *Engine {
	o := e.o
	o.Repository, o.Unusable, o.Location, o.Replicas = r, nil, replica.Location, nil
	o.Settings.Retention = replica.Retention
	return &Engine{o: o}
}

// replicaDir is where this machine remembers what it did with a replica.
func (e *Engine) replicaDir(replica Replica) string {
	sum := sha256.Sum256([]byte(cmp.Or(replica.Location, replica.Name)))
	return filepath.Join(e.o.StateDir, "replicas", hex.EncodeToString(sum[:8]))
}
