package api

import (
	"context"
	"net/http"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type upkeepInput struct {
	Keyed
	Body *plainBody `required:"false"`
}

type pruneInput struct {
	Keyed
	Body *pruneBody `required:"false"`
}

type pruneBody struct {
	operation.PruneRequest
	WaitBody
}

type compactInput struct {
	Keyed
	Body *compactBody `required:"false"`
}

type compactBody struct {
	operation.CompactRequest
	WaitBody
}

type replicateInput struct {
	Keyed
	Body *replicateBody `required:"false"`
}

type replicateBody struct {
	operation.ReplicateRequest
	WaitBody
}

type nothing struct{}

// addUpkeep adds the work on the repository as a whole, and on its data.
func (s *server) addUpkeep() {
	plain := func(id, path, tag, summary, words string, scopes []access.Scope, begin func(ctx context.Context, key string) (job.Job, error)) {
		add(s, startsJob(route{id: id, path: path, tag: tag, summary: summary, description: words, scopes: scopes}),
			func(ctx context.Context, in *upkeepInput) (*startedOutput, error) {
				j, err := begin(ctx, in.Key)
				return s.started(ctx, j, err, orZero(in.Body).WaitBody)
			})
	}
	plain("rollback", "/rollback", "restore", "Undo the last restore", "Brings back what the last restore replaced, with the same care.", restoring,
		func(ctx context.Context, key string) (job.Job, error) {
			return s.core().Operations.Rollback(ctx, caller(ctx), key, operation.RollbackRequest{})
		})
	rollback := route{
		id: "planRollback", method: http.MethodGet, path: "/rollback", tag: "restore", summary: "What undoing the last restore would do",
		description: "Changes nothing: what was restored when, where the state before is kept, whether it can be brought back and if not, why. 404 if there is nothing to undo.",
		scopes:      restoring, status: http.StatusOK, errors: []int{http.StatusNotFound},
	}
	add(s, rollback, func(ctx context.Context, _ *nothing) (*rollbackPlanOutput, error) {
		plan, err := s.core().Operations.PlanRollback(ctx)
		return &rollbackPlanOutput{plan}, err
	})
	plain("recover", "/recover", "restore", "Finish or undo a restore that was cut", "The daemon does so when it starts; without a cut restore nothing happens.", restoring,
		func(ctx context.Context, key string) (job.Job, error) {
			return s.core().Operations.Recover(ctx, caller(ctx), key, operation.RecoverRequest{})
		})
	plain("confirmHold", "/hold/confirm", "repository", "End a hold on pruning", "A backup was suspiciously small, so nothing is pruned: this says that the smaller state is right. Nothing is removed by it; the result of the job is the plan of the next pruning.", owning,
		func(ctx context.Context, key string) (job.Job, error) {
			return s.core().Operations.Confirm(ctx, caller(ctx), key, operation.ConfirmRequest{})
		})
	add(s, startsJob(route{
		id: "compact", path: "/compact", tag: "repository", summary: "Free the space of deleted backups", scopes: owning,
		description: "Lets backups take over what they need of deleted ones, and frees these.",
	}), func(ctx context.Context, in *compactInput) (*startedOutput, error) {
		b := orZero(in.Body)
		j, err := s.core().Operations.Compact(ctx, caller(ctx), in.Key, b.CompactRequest)
		return s.started(ctx, j, err, b.WaitBody)
	})
	add(s, startsJob(route{
		id: "prune", path: "/prune", tag: "repository", summary: "Remove old backups", scopes: owning,
		description: "By the rules of the retention. The last backup and the last proven one always stay.",
	}), func(ctx context.Context, in *pruneInput) (*startedOutput, error) {
		b := orZero(in.Body)
		j, err := s.core().Operations.Prune(ctx, caller(ctx), in.Key, b.PruneRequest)
		return s.started(ctx, j, err, b.WaitBody)
	})
	add(s, startsJob(route{
		id: "replicate", path: "/replicate", tag: "repository", summary: "Copy backups into replicas", scopes: owning,
		description: "What they lack is copied, after what it needs. A copy that was cut goes on where it stopped.",
	}), func(ctx context.Context, in *replicateInput) (*startedOutput, error) {
		b := orZero(in.Body)
		j, err := s.core().Operations.Replicate(ctx, caller(ctx), in.Key, b.ReplicateRequest)
		return s.started(ctx, j, err, b.WaitBody)
	})
	s.addPlans()
	add(s, route{
		id: "listReplicas", method: http.MethodGet, path: "/replicas", tag: "repository", summary: "How the replicas are",
		description: "As the last look at them found. `status` has the same.", scopes: reading, status: http.StatusOK,
	}, func(ctx context.Context, _ *nothing) (*replicasOutput, error) {
		st, err := s.core().Status(ctx)
		if err != nil {
			return nil, err
		}
		out := &replicasOutput{}
		out.Body.Replicas = append([]report.Replica{}, st.Replicas...)
		return out, nil
	})
}

type replicasOutput struct {
	Body struct {
		Replicas []report.Replica `json:"replicas"`
	}
}

type rollbackPlanOutput struct{ Body report.RollbackPlan }

type prunePlanOutput struct{ Body report.Prune }

type compactPlanOutput struct{ Body report.Compact }

// addPlans adds what pruning and compacting would do.
func (s *server) addPlans() {
	plan := func(id, path, summary, words string) route {
		return route{
			id: id, method: http.MethodGet, path: path, tag: "repository", summary: summary, description: words,
			scopes: reading, status: http.StatusOK, errors: []int{http.StatusNotFound},
		}
	}
	add(s, plan("planPrune", "/prune-plan", "What pruning would remove", "A decision about every backup, with its reason. Changes nothing."),
		func(ctx context.Context, _ *nothing) (*prunePlanOutput, error) {
			out, err := s.core().Operations.PlanPrune(ctx)
			return &prunePlanOutput{out}, err
		})
	add(s, plan("planCompact", "/compact-plan", "What compacting would free", "Changes nothing."),
		func(ctx context.Context, _ *nothing) (*compactPlanOutput, error) {
			out, err := s.core().Operations.PlanCompact(ctx)
			return &compactPlanOutput{out}, err
		})
}
