// Package backups is the list of the backups, and what is made and deleted from there.
//
// Start from [Mount]. [Build] makes the [Model] of the list from the book, which reads
// nothing for each visit; filter.go is what its address says. new.go is the form of an
// Enhanced Backup and the quick one, remove.go deletes with undo ([Remove] does so for
// other pages), selected.go does the same to several, auto.go is the switch of Auto Backup.
package backups

import (
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

var (
	reading   = []access.Scope{access.ScopeRead}
	backingUp = []access.Scope{access.ScopeBackup}
	restoring = []access.Scope{access.ScopeRestore}
	owning    = []access.Scope{access.ScopeAdmin}
)

// Mount adds the pages.
func Mount(s *site.Site) {
	s.Get(root, reading, list)
	s.Get("/new", backingUp, showNew)
	s.Get("/new/command", backingUp, command)
	s.Post(root, backingUp, create)
	s.Post("/quick", backingUp, quick)
	s.Post("/selected/delete", owning, removeSelected)
	s.Post("/selected/verify", restoring, verifySelected)
	s.Post("/selected/pin", owning, pinSelected(true))
	s.Post("/selected/unpin", owning, pinSelected(false))
	s.Post("/auto", owning, switchAuto)
}

func list(v *site.Visit) error {
	p := page(v)
	return v.Render(http.StatusOK, View(p, load(v, p.Zone, nil)))
}

// page begins the frame of the list.
func page(v *site.Visit) ui.Page { return v.Page("backups", v.L.T("frame.backups")) }

// How long the list waits for what it can do without: copies elsewhere, and what is held.
const statusWait = 250 * time.Millisecond

// load makes the model of the list that the address asks for.
func load(v *site.Visit, zone *time.Location, ticked []string) Model {
	in := Input{Filter: filterOf(v.R.URL.Query()), Zone: zone, Auto: v.Core.Operations.AutoBackup(), May: may(v), Key: rand.Text(), Ticked: ticked}
	ask := v.Core.Book.Recent
	if v.R.URL.Query().Has("fresh") { // the button; the book does not know what others did
		ask = v.Core.Book.Refresh
	}
	all, _, err := ask(v.Context())
	aged, old := errors.AsType[*report.AgedError](err)
	switch {
	case err == nil, holdfast.ExitCode(err) == holdfast.ExitNotFound && !old: // nothing is there yet
	case old:
		in.AgedAt = aged.At
		in.Fault = new(report.NewError("list", holdfast.ExitCode(aged.Err), aged.Err))
	default:
		in.Fault = new(report.NewError("list", holdfast.ExitCode(err), err))
	}
	in.All = all
	in.Jobs = atDeletion(v)
	if in.Fault == nil && len(all) > 0 {
		status, err := v.Glance(statusWait)
		if err != nil { // a hold or a copy that is not shown is not one that is not there
			in.Unknown = new(report.NewError("status", holdfast.ExitCode(err), err))
		}
		in.Status = status
	}
	return Build(in)
}

func may(v *site.Visit) May {
	c := access.CallerOf(v.Context())
	return May{Backup: c.May(access.ScopeBackup), Restore: c.May(access.ScopeRestore), Admin: c.May(access.ScopeAdmin)}
}

func caller(v *site.Visit) string { return access.CallerOf(v.Context()).Name }

// begun leads to the page of a job that has begun.
func begun(v *site.Visit, j job.Job, err error) error {
	if err != nil {
		return err
	}
	access.Note(v.Context(), access.Facts{Job: j.ID, Operation: j.ID, Backup: j.Backup.String()})
	return v.Redirect("/jobs/" + j.ID)
}
