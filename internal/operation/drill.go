package operation

import (
	"context"

	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// DrillRequest asks to restore a backup for real into scratch space, to prove it.
type DrillRequest struct {
	Name string `json:"name,omitempty" maxLength:"180" doc:"Name of the backup, or latest (the default)."`
}

// Drill begins a drill, with the configured commands. A backup that does not stand it
// makes the job fail, beside the result that says what was compared.
func (o *Operations) Drill(_ context.Context, by, key string, q DrillRequest) (job.Job, error) {
	name, err := backupName(q.Name)
	if err != nil {
		return job.Job{}, err
	}
	return o.start(KindDrill, by, key, q, func(ctx context.Context, h *job.Handle) (any, error) {
		e, err := o.keeper.Engine(ctx)
		if err != nil {
			return nil, err
		}
		result, err := e.Drill(naming(ctx, h, KindDrill), wire.DrillRequest(o.config, name))
		if result == nil {
			return nil, err
		}
		o.keeper.Refresh(ctx) // a backup that does not stand it saves nothing
		return report.NewDrill(o.place(), name, result, err), err
	})
}
