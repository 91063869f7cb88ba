package api

import (
	"context"
	"net/http"
	"time"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
)

// readsJobs are the scopes of which one sees jobs: all of them, or its own.
var readsJobs = []access.Scope{access.ScopeRead, access.ScopeBackup}

// An Identified request is about one job.
type Identified struct {
	ID string `path:"id" maxLength:"64" doc:"The id of the job." example:"20241030T143000123-K7Q2M9XA"`
}

type jobOutput struct {
	Body job.Job
}

type jobsInput struct {
	Kind  string    `query:"kind" enum:"backup,verify,drill,restore,rollback,recover,prune,replicate,compact,delete,confirm" doc:"Only jobs of this kind."`
	State []string  `query:"state" enum:"queued,running,succeeded,incomplete,failed,cancelled,interrupted" doc:"Only jobs in one of these states."`
	By    string    `query:"by" maxLength:"128" doc:"Only jobs that this token started."`
	For   string    `query:"backup" maxLength:"180" doc:"Only jobs about this backup."`
	Since time.Time `query:"since" doc:"Only jobs that were asked for then or later."`
	Until time.Time `query:"until" doc:"Only jobs that were asked for before."`
	Paged
}

// A jobPage is a part of the list of jobs.
type jobPage struct {
	Jobs  []job.Job `json:"jobs" doc:"The newest first, without requests and results."`
	Total int       `json:"total" doc:"How many there are on all pages."`
	Next  string    `json:"next,omitempty" doc:"The cursor of the next page; absent at the end."`
}

type jobsOutput struct {
	Link string `header:"Link" doc:"rel=next: the next page."`
	Body jobPage
}

func (s *server) addJobs() {
	add(s, route{
		id: "listJobs", method: http.MethodGet, path: "/jobs", tag: "jobs", summary: "List jobs",
		description: "The newest first. A token that may only back up sees the jobs that it started.",
		scopes:      readsJobs, status: http.StatusOK,
	}, s.listJobs)
	add(s, route{
		id: "getJob", method: http.MethodGet, path: "/jobs/{id}", tag: "jobs", summary: "How a job stands",
		description: "With its result, when it has ended. Jobs are kept for 30 days, over restarts of the daemon, too.",
		scopes:      readsJobs, status: http.StatusOK, errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *Identified) (*jobOutput, error) {
		j, err := s.ownJob(ctx, in.ID)
		return &jobOutput{Body: j}, err
	})
	add(s, route{
		id: "cancelJob", method: http.MethodPost, path: "/jobs/{id}/cancel", tag: "jobs", summary: "Cancel a job",
		description: "Asks the job to end and answers at once; its events tell when it has. What it did so far is undone, or was complete. A job that has ended stays as it is. Jobs of others need the scope admin.",
		scopes:      []access.Scope{access.ScopeBackup, access.ScopeRestore}, status: http.StatusAccepted, errors: []int{http.StatusNotFound},
	}, s.cancelJob)
	s.addEvents()
}

func (s *server) listJobs(ctx context.Context, in *jobsInput) (*jobsOutput, error) {
	f := job.Filter{Kind: in.Kind, By: in.By, Backup: in.For, Since: in.Since, Until: in.Until}
	for _, state := range in.State {
		f.States = append(f.States, job.State(state))
	}
	if !reads(ctx) {
		f.By = caller(ctx)
	}
	jobs, next, total := s.core().Jobs.List(f, job.Page{Limit: in.Limit, After: in.After})
	out := &jobsOutput{Body: jobPage{Jobs: jobs, Next: next, Total: total}}
	out.Link = in.link(next)
	return out, nil
}

func (s *server) cancelJob(ctx context.Context, in *Identified) (*jobOutput, error) {
	j, err := s.ownJob(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if j.By != caller(ctx) {
		if err := s.o.Access.Allow(ctx, access.ScopeAdmin); err != nil {
			return nil, err
		}
	}
	access.Note(ctx, access.Facts{Job: j.ID, Backup: j.Backup.String()})
	j, err = s.core().Jobs.Cancel(j.ID)
	return &jobOutput{Body: j}, err
}
