package repo

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// InitReplica makes b a replica of the repository of this id and opens it; a
// replica is a repository that has the same id. An existing one is opened as it
// is; one of another id is refused, whatever it holds.
func InitReplica(ctx context.Context, b bucket.Bucket, id string, o Options) (*Repository, error) {
	r, err := Open(ctx, b, o)
	if errors.Is(err, holdfast.ErrNotFound) {
		r, err = initAt(ctx, b, o, id, time.Now())
	}
	if err != nil {
		return nil, err
	}
	return r, r.MustBe(id)
}

// MustBe refuses a repository that has another id.
func (r *Repository) MustBe(id string) error {
	if r.id == id {
		return nil
	}
	return &holdfast.Error{
		Op: "open replica", Object: r.Location(),
		Err:  holdfast.Kindf(holdfast.ErrRefused, "it is another repository (id %s, not %s)", r.id, id),
		Hint: "name an empty or new place; backups of different repositories are never mixed",
	}
}
