package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type makeInput struct {
	Keyed
	Body *makeBody `required:"false"`
}

// makeBody asks for a backup.
type makeBody struct {
	operation.BackupRequest
	Wait        *bool `json:"wait,omitempty" doc:"Whether to answer when the backup is committed (true, if absent) or at once."`
	WaitTimeout int   `json:"wait_timeout,omitempty" minimum:"1" maximum:"3600" doc:"After how many seconds to answer with the job instead; 600 if absent."`
}

// A made backup is the answer when it is committed.
type made struct {
	report.BackupResult
	Job string `json:"job" doc:"The id of the job that made it. It may still be copying the backup into replicas."`
}

type madeOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where the backup is, or the job as long as it runs."`
	Body     any
}

func (s *server) addMake() {
	add(s, route{
		id: "createBackup", method: http.MethodPost, path: "/backups", tag: "backups", summary: "Make a backup",
		description: "The call before an upload: `{\"trigger\":\"auto\"}`. It answers when the backup is committed: 201 with the backup, or 200 if one that was there already holds everything (`reused`), or if automatic backups are switched off (`skipped`). " +
			"With `\"wait\":false`, or if it takes longer than wait_timeout, it answers 202 with the job, which goes on. A client that hangs up does not end the backup. " +
			"A backup in which something is damaged or missing is a backup: look at `incomplete`. `pin` needs the scope admin.",
		scopes: backingUp, status: http.StatusCreated,
		also: map[int]answer{
			http.StatusCreated:  {words: "The backup is committed.", body: reflect.TypeFor[made]()},
			http.StatusOK:       {words: "There was nothing to do: an earlier backup holds everything, or automatic backups are off.", body: reflect.TypeFor[made]()},
			http.StatusAccepted: {words: "The job that makes it.", body: reflect.TypeFor[job.Job]()},
		},
		errors: []int{http.StatusNotFound},
	}, s.makeBackup)
}

func (s *server) makeBackup(ctx context.Context, in *makeInput) (*madeOutput, error) {
	b := orZero(in.Body)
	if b.Pin { // what is pinned stays for ever, which only the owner decides
		if err := s.o.Access.Allow(ctx, access.ScopeAdmin); err != nil {
			return nil, err
		}
	}
	j, err := s.core().Operations.Backup(ctx, caller(ctx), in.Key, b.BackupRequest)
	if err != nil {
		return nil, err
	}
	access.Note(ctx, access.Facts{Job: j.ID, Operation: j.ID, Object: b.Name})
	if b.Wait != nil && !*b.Wait {
		return accepted(j), nil
	}
	if j, err = waited(ctx, s.core().Jobs.WaitResult, j, b.WaitTimeout); err != nil {
		return nil, err
	}
	access.Note(ctx, access.Facts{Backup: j.Backup.String()})
	if len(j.Result) == 0 {
		return accepted(j), nil
	}
	return committed(j)
}

// accepted answers with a job that goes on.
func accepted(j job.Job) *madeOutput {
	return &madeOutput{Status: http.StatusAccepted, Location: jobPath(j.ID), Body: j}
}

func jobPath(id string) string { return Root + "/jobs/" + id }

// committed answers with the backup that a job has made or found.
func committed(j job.Job) (*madeOutput, error) {
	body := made{Job: j.ID}
	if err := json.Unmarshal(j.Result, &body.BackupResult); err != nil {
		return nil, fmt.Errorf("result of job %s: %w", j.ID, err)
	}
	out := &madeOutput{Status: http.StatusCreated, Body: body}
	if body.Reused || body.Skipped != "" {
		out.Status = http.StatusOK
	}
	if body.Backup != nil {
		out.Location = Root + "/backups/" + pathOf(body.Backup.Name.String())
	}
	return out, nil
}
