// Package details is the page of one backup: whether it can be relied on, what is in
// it, where it is, what was done with it, and what can be done.
//
// Start from [Build] and [View]. It reads what the backup says of itself and no payload,
// so that it is quick over a bucket, too; the list of files has a page of its own.
//
// The files: model.go (what the page shows), judge.go (the verdict of one backup),
// words.go, view.templ and parts.templ (the page), files.templ, missing.templ (no such
// backup), actions.go (what its buttons do), handler.go (routes).
package details

import (
	"errors"
	"net/http"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/backups"
	"github.com/holdfast-backup/holdfast/internal/web/site"
)

// mostFiles is how many files one page shows, mostJobs how many jobs.
const (
	mostFiles = 200
	mostJobs  = 10
)

// Mount adds the pages.
func Mount(s *site.Site) {
	reading := []access.Scope{access.ScopeRead}
	restoring := []access.Scope{access.ScopeRestore}
	admin := []access.Scope{access.ScopeAdmin}
	s.Get("/backups/{name}", reading, show)
	s.Get("/backups/{name}/files", reading, showFiles)
	s.Post("/backups/{name}/verify", restoring, verify)
	s.Post("/backups/{name}/drill", restoring, drill)
	s.Post("/backups/{name}/pin", admin, pin(true))
	s.Post("/backups/{name}/unpin", admin, pin(false))
	s.Post("/backups/{name}/delete", admin, remove)
}

func show(v *site.Visit) error {
	if v.R.PathValue("name") == "latest" {
		return latest(v)
	}
	name, err := v.Backup()
	if err != nil {
		return missing(v, v.R.PathValue("name"))
	}
	m, err := load(v, name)
	switch {
	case errors.Is(err, holdfast.ErrNotFound):
		return missing(v, string(name))
	case err != nil:
		return err
	}
	return v.Render(http.StatusOK, View(v.Page("backups", Title(v.L, name)), m))
}

// latest leads to the newest backup.
func latest(v *site.Visit) error {
	all, _, err := v.Core.Book.Backups(v.Context())
	if len(all) == 0 {
		if err == nil {
			return missing(v, "latest")
		}
		return err
	}
	return v.Redirect(Path(all[0].Name))
}

// load finds out what the page shows.
func load(v *site.Visit, name holdfast.BackupName) (Model, error) {
	ctx := v.Context()
	m := Model{Name: name, May: mayOf(access.CallerOf(ctx)), Deletion: backups.DeletionOf(v, name)}
	m.Jobs, _, _ = v.Core.Jobs.List(job.Filter{Backup: string(name)}, job.Page{Limit: mostJobs})
	e, err := v.Core.Keeper.Engine(ctx)
	if err != nil {
		return m, err
	}
	near, err := e.Describe(ctx, string(name))
	if err != nil {
		return unreadable(v, m, err)
	}
	if m.Show, err = report.NewShow(ctx, near, false); err != nil {
		return unreadable(v, m, err)
	}
	m.Show.Complete(ctx, e, near)
	return m, nil
}

// unreadable shows what is known of a backup that does not tell of itself.
func unreadable(v *site.Visit, m Model, why error) (Model, error) {
	if errors.Is(why, holdfast.ErrNotFound) {
		return m, why
	}
	all, _, err := v.Core.Book.Backups(v.Context())
	for _, b := range all {
		if b.Name == m.Name {
			b.Error = report.Text(why)
			m.Show = report.Show{Backup: b}
			return m, nil
		}
	}
	return m, errors.Join(why, err)
}

// showFiles shows the files of a backup, page after page.
func showFiles(v *site.Visit) error {
	name, err := v.Backup()
	if err != nil {
		return missing(v, v.R.PathValue("name"))
	}
	e, err := v.Core.Keeper.Engine(v.Context())
	if err != nil {
		return err
	}
	near, err := e.Describe(v.Context(), string(name))
	if errors.Is(err, holdfast.ErrNotFound) {
		return missing(v, string(name))
	}
	if err != nil {
		return err
	}
	all, err := report.NewShow(v.Context(), near, true)
	if err != nil {
		return err
	}
	q := v.R.URL.Query()
	m := FilesModel{Name: name, Source: q.Get("source"), After: q.Get("after")}
	m.Page = report.PageOfFiles(all.Files, m.Source, m.After, mostFiles)
	if all.Metadata != nil {
		for _, s := range all.Metadata.Sources {
			m.Sources = append(m.Sources, s.Name)
		}
	}
	return v.Render(http.StatusOK, FilesView(v.Page("backups", v.L.T("details.files_of", "name", string(name))), m))
}

// missing tells that there is no such backup, and which ones may have been meant.
func missing(v *site.Visit, name string) error {
	m := MissingModel{Name: clipped(name)}
	all, _, err := v.Core.Book.Backups(v.Context())
	if err != nil && len(all) == 0 {
		return err
	}
	m.Near = nearest3(name, all)
	m.Jobs, _, _ = v.Core.Jobs.List(job.Filter{Backup: name}, job.Page{Limit: mostJobs})
	return v.Render(http.StatusNotFound, MissingView(v.Page("backups", v.L.T("details.missing")), m))
}
