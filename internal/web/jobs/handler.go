// Package jobs is the page of one long work: its steps as they go on, its log, and
// its result when it has ended.
//
// The page can be left and found again: it shows what the events of the job have told
// until now ([Track]) and then follows them by a stream of fragments, which goes on
// where it was cut. Without a script the page asks for itself anew while the work
// runs.
//
// The files: plan.go (the steps of each kind of work), track.go (from events to steps),
// pace.go (how fast), model.go and result.go (what the page shows), words.go (how it
// says that), live.go (the stream), handler.go (routes).
package jobs

import (
	"context"
	"net/http"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// The scopes of which one sees jobs (all of them, or its own) and cancels them.
var (
	seeing     = []access.Scope{access.ScopeRead, access.ScopeBackup}
	cancelling = []access.Scope{access.ScopeBackup, access.ScopeRestore}
)

// refreshSeconds is how often the page of a running job is asked for without a script.
const refreshSeconds = 3

// Mount adds the pages.
func Mount(s *site.Site) {
	s.Get("/jobs/{id}", seeing, show)
	s.Stream("/jobs/{id}/live", seeing, live)
	s.Get("/jobs/{id}/there", seeing, there)
	s.Post("/jobs/{id}/cancel", cancelling, cancel)
}

// own gives the job that a request names. Whoever may only back up sees the jobs that
// it started; the others do not exist for it.
func own(v *site.Visit) (job.Job, error) {
	id := v.R.PathValue("id")
	j, err := v.Core.Jobs.Get(id)
	caller := access.CallerOf(v.Context())
	if err == nil && !caller.May(access.ScopeRead) && j.By != caller.Name {
		err = &holdfast.Error{Op: "job", Object: id, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such job")}
	}
	return j, err
}

// mayCancel tells whether the caller may end a job: those of others need the scope admin.
func mayCancel(c access.Caller, j job.Job) bool {
	return !j.State.Ended() && c.May(cancelling...) && (j.By == c.Name || c.May(access.ScopeAdmin))
}

func show(v *site.Visit) error {
	j, err := own(v)
	if err != nil {
		return err
	}
	t, err := heard(v.Context(), v.Core, j)
	if err != nil {
		return err
	}
	// What ended between the two looks is shown as it ended.
	if t.State.Ended() && !j.State.Ended() {
		if j, err = own(v); err != nil {
			return err
		}
	}
	m, p := modelOf(v, j, t)
	return v.Render(http.StatusOK, View(p, m))
}

// modelOf makes the model and its page.
func modelOf(v *site.Visit, j job.Job, t *Track) (Model, ui.Page) {
	m := Build(j, t, v.Site.Now())
	m.MayCancel = mayCancel(access.CallerOf(v.Context()), j)
	p := v.Page("activity", Title(v.L, m))
	if !m.Ended() {
		p.Refresh = refreshSeconds
	}
	return m, p
}

// there answers whoever lost the stream: if the session has ended meanwhile, that
// leads to the login.
func there(v *site.Visit) error {
	if _, err := own(v); err != nil {
		return err
	}
	v.W.WriteHeader(http.StatusNoContent)
	return nil
}

// cancelWithin is how long a page waits for work to end that was cancelled.
const cancelWithin = time.Second

func cancel(v *site.Visit) error {
	j, err := own(v)
	if err != nil {
		return err
	}
	if j.By != access.CallerOf(v.Context()).Name {
		if err := v.Site.Access.Allow(v.Context(), access.ScopeAdmin); err != nil {
			return err
		}
	}
	access.Note(v.Context(), access.Facts{Job: j.ID, Operation: j.ID, Backup: j.Backup.String()})
	if j, err = v.Core.Jobs.Cancel(j.ID); err != nil {
		return err
	}
	// What waits ends at once, and then it is known what came of it.
	ctx, done := context.WithTimeout(v.Context(), cancelWithin)
	defer done()
	if ended, err := v.Core.Jobs.Wait(ctx, j.ID); err == nil {
		j = ended
	}
	switch {
	case !j.State.Ended():
		v.Notice(ui.Calm, "jobs.cancel_asked")
	case j.State != job.Cancelled: // whoever wanted to take it back must not think that he has
		v.Notice(ui.Warn, "jobs.cancel_late")
	}
	// Whoever takes a deletion back stays where that was offered.
	return v.Redirect(site.Local(v.R.FormValue("back"), "/jobs/"+j.ID))
}
