package activity

import (
	"net/http"
	"net/url"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/web/site"
)

// Mount adds the page.
func Mount(s *site.Site) {
	reading := []access.Scope{access.ScopeRead}
	s.Get("/activity", reading, show)
	s.Get("/activity/log/{id}", reading, showLog)
}

func show(v *site.Visit) error {
	m, err := load(v, v.R.URL.Query())
	if err != nil {
		return err
	}
	m.MayAudit = access.CallerOf(v.Context()).May(access.ScopeAdmin)
	return v.Render(http.StatusOK, View(v.Page("activity", v.L.T("frame.activity")), m))
}

// load makes the model of the tab that is asked for.
func load(v *site.Visit, q url.Values) (Model, error) {
	switch q.Get("tab") {
	case TabTasks:
		return Model{Tab: TabTasks, Tasks: v.Core.Tasks()}, nil
	case TabAudit:
		if err := v.Site.Access.Allow(v.Context(), access.ScopeAdmin); err != nil {
			return Model{}, err
		}
		entries, next, err := v.Site.Access.Audit().Read(access.Page{Limit: 2 * perPage, Before: q.Get("before")})
		if err != nil {
			return Model{}, err
		}
		return Model{Tab: TabAudit, Audit: Lines(entries, kindOf(v.Core.Jobs)), AuditNext: next}, nil
	}
	all, _, err := v.Core.Book.Recent(v.Context()) // what the jobs tell is worth showing by itself
	entries := Entries(everyJob(v.Core.Jobs), all, v.Site.Now())
	m := Build(entries, Query{Kind: q.Get("kind"), State: q.Get("state"), By: q.Get("by"), Text: q.Get("q"), After: q.Get("after")})
	m.Aged = err != nil
	if id := q.Get("log"); id != "" {
		if m.Open, err = logOf(v, id); err != nil {
			return Model{}, err
		}
	}
	return m, nil
}

// everyJob gives all jobs that are kept, of which there are some thousand at most.
func everyJob(r *job.Runner) (all []job.Job) {
	for next := ""; ; {
		page, more, _ := r.List(job.Filter{}, job.Page{Limit: 1000, After: next})
		all = append(all, page...)
		if more == "" {
			return all
		}
		next = more
	}
}

// kindOf looks up what kind of job one is; empty if it is not kept any more.
func kindOf(r *job.Runner) func(string) string {
	return func(id string) string {
		j, err := r.Get(id)
		if err != nil {
			return ""
		}
		return j.Kind
	}
}

// mostLog bounds the lines of a log that are unfolded; the page of the job has them all.
const mostLog = 200

// showLog is the log of one job, for whoever unfolds its line.
func showLog(v *site.Visit) error {
	l, err := logOf(v, v.R.PathValue("id"))
	if err != nil {
		return err
	}
	return v.Render(http.StatusOK, LogView(v.Page("activity", v.L.T("frame.activity")), *l))
}

// logOf reads the log of a job as it is now.
func logOf(v *site.Visit, id string) (*Log, error) {
	if _, err := v.Core.Jobs.Get(id); err != nil {
		return nil, err
	}
	l := &Log{ID: id}
	for e, err := range v.Core.Jobs.Past(v.Context(), id, 0) {
		if err != nil {
			return nil, err
		}
		if e.Event != nil && e.Event.State == holdfast.Progress {
			continue
		}
		if l.More = len(l.Events) == mostLog; l.More {
			break
		}
		l.Events = append(l.Events, e)
	}
	return l, nil
}
