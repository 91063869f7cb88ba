package site

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// A Visit is one request of a reader.
type Visit struct {
	W    http.ResponseWriter
	R    *http.Request
	Site *Site
	Core api.Core
	L    *locale.Locale

	notices []notice // for the next page
}

// Context is that of the visit.
func (v *Visit) Context() context.Context { return v.R.Context() }

// Fragment tells whether the script of the page asks, for a part of it.
func (v *Visit) Fragment() bool { return v.R.Header.Get("HX-Request") == "true" }

// Page begins what the frame shows. The notices of the last visit are in it, and are
// not shown again.
func (v *Visit) Page(section, title string) ui.Page {
	p := v.page(section, title)
	if !v.Fragment() {
		p.Notices = v.takeNotices()
	}
	return p
}

func (v *Visit) page(section, title string) ui.Page {
	caller := access.CallerOf(v.Context())
	p := ui.Page{
		L: v.L, Now: v.Site.Now(), Zone: zone(v.R), Theme: theme(v.R), Path: v.R.URL.RequestURI(),
		Section: section, Title: title, Caller: caller, Version: v.Site.Version,
		LoggedIn: caller.Session != "", Open: caller.Name == access.Local,
	}
	if v.R.Method != http.MethodGet { // a form that is shown again: its page is not that of the action
		p.Path = v.back("/")
	}
	if caller.May(access.ScopeRead) {
		p.Running = v.running()
	}
	return p
}

// running are the jobs at work, for the strip.
func (v *Visit) running() []ui.Running {
	if v.Core.Jobs == nil {
		return nil
	}
	jobs, _, _ := v.Core.Jobs.List(job.Filter{States: []job.State{job.Running, job.Queued}}, job.Page{Limit: mostRunning})
	out := make([]ui.Running, 0, len(jobs))
	for _, j := range jobs {
		r := ui.Running{ID: j.ID, Kind: j.Kind, Backup: string(j.Backup)}
		if p := j.Progress; p != nil {
			r.Step, r.Done, r.Total = string(p.Step), p.Done, p.Total
		}
		out = append(out, r)
	}
	return out
}

// mostRunning is how many jobs the strip shows.
const mostRunning = 3

// showStrip answers with the running jobs alone.
func showStrip(v *Visit) error {
	return v.Render(http.StatusOK, ui.Strip(v.page("", "")))
}

// Render answers with a page, or with a part of one. It is written when all of it is
// known, so that a failure on the way does not leave half of it.
func (v *Visit) Render(status int, c templ.Component) error {
	var out bytes.Buffer
	if err := c.Render(v.Context(), &out); err != nil {
		return err
	}
	h := v.W.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Cookie, Accept-Language, HX-Request")
	v.W.WriteHeader(status)
	if v.R.Method != http.MethodHead {
		_, _ = v.W.Write(out.Bytes()) // whoever does not read it is gone
	}
	return nil
}

// Redirect sends the reader to another page after an action.
func (v *Visit) Redirect(path string) error {
	if v.Fragment() {
		v.W.Header().Set("HX-Redirect", path)
		v.W.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(v.W, v.R, path, http.StatusSeeOther)
	return nil
}

// Form gives the fields of the body.
func (v *Visit) Form() (url.Values, error) {
	if err := v.R.ParseForm(); err != nil {
		return nil, &holdfast.Error{Op: "request", Err: holdfast.Kindf(holdfast.ErrUsage, "its form cannot be read: %v", err)}
	}
	return v.R.PostForm, nil
}

// Backup is the backup that the path names, by a name that a backup can have.
func (v *Visit) Backup() (holdfast.BackupName, error) {
	name, err := holdfast.ParseBackupName(v.R.PathValue("name"))
	if err == nil {
		access.Note(v.Context(), access.Facts{Backup: string(name)})
	}
	return name, err
}

// Local gives a path of this site, for a redirect; fallback if it leads elsewhere.
func Local(path, fallback string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(path, "/") ||
		strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return fallback
	}
	return path
}

// back is the page of this site from which the reader comes.
func (v *Visit) back(fallback string) string {
	from, err := url.Parse(v.R.Referer())
	if err != nil || from.Host != v.R.Host {
		return fallback
	}
	return Local(from.RequestURI(), fallback)
}
