package restore

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// Mount adds the pages.
func Mount(s *site.Site) {
	seeing := []access.Scope{access.ScopeRead, access.ScopeRestore}
	restoring := []access.Scope{access.ScopeRestore}
	s.Get("/backups/{name}/restore", seeing, choose)
	s.Get("/backups/{name}/restore/plan", restoring, plan)
	s.Post("/backups/{name}/restore", restoring, begin)
	s.Get("/rollback", seeing, showRollback)
	s.Post("/rollback", restoring, beginRollback)
	s.Get("/recover", seeing, showRecover)
	s.Post("/recover", restoring, beginRecover)
}

// choose shows what can be restored, and what would change once that is asked.
func choose(v *site.Visit) error {
	m, err := load(v, choiceOf(v.R.URL.Query()))
	if err != nil {
		return err
	}
	if string(m.Backup.Name) != v.R.PathValue("name") { // latest
		to := path(m.Backup.Name)
		if q := v.R.URL.RawQuery; q != "" {
			to += "?" + q
		}
		return v.Redirect(to)
	}
	if v.R.URL.Query().Has("show") && m.Usable() && !m.Unchosen {
		m.Plan = look(v, m)
	}
	return v.Render(http.StatusOK, View(page(v), m))
}

// plan is the part of the page that tells what would change, by itself.
func plan(v *site.Visit) error {
	m, err := load(v, choiceOf(v.R.URL.Query()))
	if err != nil {
		return err
	}
	if m.Usable() && !m.Unchosen {
		m.Plan = look(v, m)
	}
	return v.Render(http.StatusOK, Changes(page(v), m))
}

// begin restores, if the name was typed as it is.
func begin(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	m, err := load(v, choiceOf(form))
	if err != nil {
		return err
	}
	m.Key = form.Get("key")
	m.WrongName = !ui.Confirmed(m.Typed, m.Backup.Name.String())
	if m.Usable() && m.OffersServer && !m.Unchosen && (m.WrongName || !m.AcceptLosses) {
		m.Plan = look(v, m)
		m.Unaccepted = m.Plan.Asks()
	}
	if m.WrongName || m.Unchosen || m.Unaccepted {
		return v.Render(http.StatusUnprocessableEntity, View(page(v), m))
	}
	j, err := v.Core.Operations.Restore(v.Context(), caller(v), m.Key, m.Request())
	if locked(err) {
		m.Busy = busy(v.Core)
		return v.Render(http.StatusLocked, View(page(v), m))
	}
	return begun(v, j, err)
}

// load makes the model of the backup that the path names.
func load(v *site.Visit, choice Choice) (Model, error) {
	all, _, err := v.Core.Book.Backups(v.Context())
	if err != nil && len(all) == 0 {
		return Model{}, err
	}
	name := v.R.PathValue("name")
	if name == "latest" && len(all) > 0 {
		if name, err = latestWith(v, choice.wanted()); err != nil {
			return Model{}, err
		}
	}
	m, err := Build(v.Core.Config, all, name, choice)
	if err != nil {
		return Model{}, err
	}
	m.ReadOnly, m.Busy, m.Key = readOnly(v), busy(v.Core), rand.Text()
	return m, nil
}

// latestWith names the newest backup that has all of some parts.
func latestWith(v *site.Visit, parts []string) (string, error) {
	e, err := v.Core.Keeper.Engine(v.Context())
	if err != nil {
		return "", err
	}
	found, err := e.NearestWith(v.Context(), "latest", parts)
	if err != nil {
		return "", err
	}
	return found.Backup.Name.String(), nil
}

// look asks what would change.
func look(v *site.Visit, m Model) *Plan {
	p, err := v.Core.Operations.PlanRestore(v.Context(), m.Request())
	out := planned(p, err)
	out.Free = room(v.Context(), v.Core)
	return out
}

// room is how much is free in the repository; nil: nobody knows.
func room(ctx context.Context, c api.Core) *int64 {
	st, err := c.Status(ctx)
	if err != nil {
		return nil
	}
	return st.Repository.FreeBytes
}

// choiceOf reads what was chosen from a form or a query.
func choiceOf(q url.Values) Choice {
	c := Choice{
		NoEmergency: q.Has("no_emergency"), Force: q.Has("force"), Online: q.Has("online"), Typed: q.Get("confirm"),
		Source: q.Get("source"), Table: q.Get("table"), Rows: q["row"], As: strings.TrimSpace(q.Get("as")),
		AcceptLosses: q.Has("accept_losses"), KeepReplaced: q.Has("keep_replaced"),
	}
	if q.Has("chosen") || q.Has("part") {
		c.Only = slices.Clone(q["part"])
		if c.Only == nil {
			c.Only = []string{}
		}
	}
	return c
}

// wanted are the sources that have to be in a backup.
func (c Choice) wanted() []string {
	if c.Single() {
		return []string{c.Source}
	}
	return c.Only
}

// busy is the job of a restore that is at work; empty: none is.
func busy(c api.Core) string {
	for _, kind := range []string{operation.KindRestore, operation.KindRollback, operation.KindRecover} {
		jobs, _, _ := c.Jobs.List(job.Filter{Kind: kind, States: []job.State{job.Queued, job.Running}}, job.Page{Limit: 1})
		if len(jobs) > 0 {
			return jobs[0].ID
		}
	}
	return ""
}

// begun sends the reader to the job that he began.
func begun(v *site.Visit, j job.Job, err error) error {
	if err != nil {
		return err
	}
	access.Note(v.Context(), access.Facts{Job: j.ID, Backup: j.Backup.String()})
	return v.Redirect("/jobs/" + j.ID)
}

// path is where a backup is restored.
func path(name holdfast.BackupName) string {
	return "/backups/" + url.PathEscape(name.String()) + "/restore"
}

func caller(v *site.Visit) string { return access.CallerOf(v.Context()).Name }

func readOnly(v *site.Visit) bool { return !access.CallerOf(v.Context()).May(access.ScopeRestore) }

// page begins the frame of a restore.
func page(v *site.Visit) ui.Page { return v.Page("backups", v.L.T("restore.title")) }
