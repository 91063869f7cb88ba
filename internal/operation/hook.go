package operation

import (
	"context"
	"crypto/rand"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/around"
	"github.com/holdfast-backup/holdfast/internal/job"
)

// HookTestRequest asks to call one thing now that is otherwise called around a backup or
// restore.
type HookTestRequest struct {
	Hook string `json:"hook" minLength:"1" maxLength:"100" doc:"Its name, as GET /hooks gives it: before_backup, stop_start, webhooks.urls[0], ping …"`
}

// Hooks lists what is called around backups and restores, and can be tested.
func (o *Operations) Hooks() []around.Hook { return around.Hooks(o.config) }

// TestHook calls one of them. One test is made at a time, and none while a restore is at
// work: it may stop and start the same program.
func (o *Operations) TestHook(ctx context.Context, q HookTestRequest) (around.Trial, error) {
	select {
	case o.testing <- struct{}{}:
		defer func() { <-o.testing }()
	default:
		return around.Trial{}, &holdfast.Error{Op: "test hook", Object: clipped(q.Hook), Err: holdfast.Kindf(holdfast.ErrLocked, "another test is at work"), Hint: "wait until it has ended"}
	}
	for _, kind := range []string{KindRestore, KindRollback, KindRecover} {
		if _, _, n := o.jobs.List(job.Filter{Kind: kind, States: []job.State{job.Running}}, job.Page{Limit: 1}); n > 0 {
			return around.Trial{}, &holdfast.Error{Op: "test hook", Object: clipped(q.Hook), Err: holdfast.Kindf(holdfast.ErrLocked, "a %s is at work", kind), Hint: "wait until it has ended"}
		}
	}
	out, err := around.Try(ctx, o.config, q.Hook, "test-"+rand.Text(), around.Options{Logger: o.log, Now: o.now, ToolVersion: o.version})
	if err == nil {
		o.log.InfoContext(ctx, "a hook was tested", keyHook, q.Hook, keyOK, out.OK)
	}
	return out, err
}
