package api

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
)

// latest stands for the newest backup wherever a name does.
const latest = "latest"

// A Named request is about one backup.
type Named struct {
	Name string `path:"name" doc:"Name of the backup, or latest." example:"latest"`
}

// parsed gives the name, once it is one.
func (n Named) parsed() (string, error) {
	if n.Name == latest {
		return latest, nil
	}
	name, err := holdfast.ParseBackupName(n.Name)
	if err != nil {
		return "", holdfast.Kindf(holdfast.ErrUsage, "%w", err)
	}
	return string(name), nil
}

// A Keyed request starts a job, and may be repeated.
type Keyed struct {
	Key string `header:"Idempotency-Key" maxLength:"200" doc:"The same key with the same request gives the same job, for as long as jobs are kept. With another request it is refused."`
}

// caller names who asks.
func caller(ctx context.Context) string { return access.CallerOf(ctx).Name }

// reads tells whether the caller may see what others did; who may only back up sees
// the jobs that it started.
func reads(ctx context.Context) bool { return access.CallerOf(ctx).May(access.ScopeRead) }

// ownJob refuses the jobs of others to a caller that may only back up: for it they do
// not exist.
func (s *server) ownJob(ctx context.Context, id string) (job.Job, error) {
	j, err := s.core().Jobs.Get(id)
	if err == nil && !reads(ctx) && j.By != caller(ctx) {
		err = &holdfast.Error{Op: "job", Object: id, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such job")}
	}
	return j, err
}
