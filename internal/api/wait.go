package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// waitMost is how long an answer waits for a job if nothing else is asked for.
const waitMost = 10 * time.Minute

// errWaited tells that a job was waited for long enough.
var errWaited = errors.New("waited long enough")

// waited waits for a job as long as the client wants to, and gives it as it stands
// then. What became of a job that failed is the error.
func waited(ctx context.Context, wait func(context.Context, string) (job.Job, error), j job.Job, seconds int) (job.Job, error) {
	patience := waitMost
	if seconds > 0 {
		patience = time.Duration(seconds) * time.Second
	}
	waiting, cancel := context.WithTimeoutCause(ctx, patience, errWaited)
	defer cancel()
	j, err := wait(waiting, j.ID)
	if err != nil && !errors.Is(err, errWaited) {
		return j, err
	}
	return j, failureOf(j)
}

// failureOf makes the error of a job that failed; nil if it did not, or runs.
func failureOf(j job.Job) error {
	switch j.State {
	case job.Failed, job.Cancelled, job.Interrupted:
	default:
		return nil
	}
	e := j.Error
	if e == nil {
		e = &report.Error{Exit: holdfast.ExitInterrupted, Message: "the job was ended before it was done: " + j.Outcome}
	}
	return problemOfReport(*e, j.ID)
}

// A WaitBody says whether to wait for the job that it starts.
type WaitBody struct {
	Wait        bool `json:"wait,omitempty" doc:"Answer when the job has ended; otherwise at once."`
	WaitTimeout int  `json:"wait_timeout,omitempty" minimum:"1" maximum:"3600" doc:"After how many seconds to answer with the job as it stands; 600 if absent."`
}

// A startedOutput is the job that a request has started.
type startedOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where the job is."`
	Body     job.Job
}

// started answers with the job: at once, or when it has ended.
func (s *server) started(ctx context.Context, j job.Job, err error, w WaitBody) (*startedOutput, error) {
	if err != nil {
		return nil, err
	}
	access.Note(ctx, access.Facts{Job: j.ID, Operation: j.ID, Backup: j.Backup.String()})
	if w.Wait {
		if j, err = waited(ctx, s.core().Jobs.Wait, j, w.WaitTimeout); err != nil {
			return nil, err
		}
	}
	out := &startedOutput{Status: http.StatusAccepted, Location: jobPath(j.ID), Body: j}
	if j.State.Ended() {
		out.Status = http.StatusOK
	}
	return out, nil
}

// startsJob are the answers of operations that start a job.
func startsJob(r route) route {
	r.method, r.status = http.MethodPost, http.StatusAccepted
	return waitable(r)
}

// waitable describes the two answers of an operation whose job may be waited for.
func waitable(r route) route {
	r.status = http.StatusAccepted
	r.also = map[int]answer{http.StatusOK: {words: "The job has ended; its result is in it."}}
	r.description += "\n\nIt answers 202 with the job; with `wait` when the job has ended: 200, or the failure."
	r.errors = append(r.errors, http.StatusNotFound) // a job may find out
	return r
}

// pathOf writes a name as a part of a path.
func pathOf(name string) string { return url.PathEscape(name) }
