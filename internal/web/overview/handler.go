// Package overview is the first page: is my data safe, and what is to be done?
//
// Start from [Mount]. [Build] makes the [Model] of what the core knows already: the
// status that many ask for at once is looked at once, backups come from the book,
// and what happened from the record, so that a reader who leaves the page open costs nothing.
// A look that takes long is not waited for: the page comes without it and asks again.
//
// verdict.go has what is said and can be done, strip.go the last month, trend.go
// the sizes over time, words.go what of it depends on the language.
package overview

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// Mount adds the page and its actions.
func Mount(s *site.Site) {
	s.Get("/{$}", []access.Scope{access.ScopeRead}, show)
	s.Post("/verify", []access.Scope{access.ScopeRestore}, verifyAll)
	s.Post("/hold/confirm", []access.Scope{access.ScopeAdmin}, confirmHold)
}

// How long the page waits for a look: at first, and when it asks again.
const (
	firstWait = 700 * time.Millisecond
	nextWait  = 8 * time.Second
)

func show(v *site.Visit) error {
	in := Input{
		Auto: v.Core.Operations.AutoBackup(), Key: rand.Text(), Tasks: v.Core.Tasks(), Stand: v.Core.Keeper.Standing(), Alarms: v.Core.Alarms(),
	}
	p := v.Page("overview", v.L.T("frame.overview"))
	in.Now, in.Zone, in.Caller = p.Now, p.Zone, p.Caller
	if v.Core.History != nil {
		in.Log = v.Core.History(trendDays + 1)
	}
	wait := firstWait
	if v.Fragment() {
		wait = nextWait
	}
	status, err := v.Glance(wait)
	switch {
	case err != nil:
		failure := report.NewError("status", holdfast.ExitCode(err), err)
		in.Failure = &failure
	case status != nil:
		in.Status = status
		in.Backups, _, _ = v.Core.Book.Recent(v.Context()) // that they cannot be read is in the status
	}
	return v.Render(http.StatusOK, View(p, Build(in)))
}

// verifyAll begins to read every backup.
func verifyAll(v *site.Visit) error {
	return begin(v)(v.Core.Operations.Verify(v.Context(), access.CallerOf(v.Context()).Name, "", operation.VerifyRequest{All: true}))
}

// confirmHold says that the newest backups are right although they are smaller.
func confirmHold(v *site.Visit) error {
	return begin(v)(v.Core.Operations.Confirm(v.Context(), access.CallerOf(v.Context()).Name, "", operation.ConfirmRequest{}))
}

// begin leads to the page of a job that has begun.
func begin(v *site.Visit) func(job.Job, error) error {
	return func(j job.Job, err error) error {
		if err != nil {
			return err
		}
		access.Note(v.Context(), access.Facts{Job: j.ID, Operation: j.ID})
		return v.Redirect("/jobs/" + j.ID)
	}
}

// Tasks that are told of elsewhere on the page, or of which nobody needs to know.
const (
	taskBackup = keeper.TaskName
	taskAlarms = "alarms"
)

// beginConfig is the least that a configuration needs.
const beginConfig = "sources:\n  chromadb: {type: chroma, path: ./data/chromadb}\n  bot: {type: sqlite, path: ./bot.db}"

// refresh is how often the page asks for itself: soon while something is at work, so that it
// shows what became of it.
func refresh(p ui.Page, m Model) string {
	switch {
	case m.Loading:
		return "every 1s"
	case len(p.Running) > 0:
		return "every 5s"
	}
	return "every 30s"
}

func kindOfButton(a Action) ui.Kind {
	if a.Primary {
		return ui.Primary
	}
	return ui.Plain
}

func dotClass(i int) string { return []string{"trend-logical trend-dot", "trend-stored trend-dot"}[i] }

func digits(n int64) string { return strconv.FormatInt(n, 10) }
