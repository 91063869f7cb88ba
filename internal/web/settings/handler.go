package settings

import (
	"context"
	"net/http"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// page is the page and what it remembers.
type page struct{ last Tests }

// Mount adds the page and its actions.
func Mount(s *site.Site) {
	p := &page{}
	// Whoever may do something at all is told why he may not see settings.
	s.Get("/settings", access.AllScopes(), p.show)
	s.Post("/settings/notifications/test", []access.Scope{access.ScopeAdmin}, p.testNotifications)
	s.Post("/settings/hooks/test", []access.Scope{access.ScopeAdmin}, p.testHook)
}

func (p *page) show(v *site.Visit) error {
	shown := v.Page("settings", v.L.T("frame.settings"))
	if !shown.Caller.May(access.ScopeAdmin) {
		return v.Render(http.StatusForbidden, View(shown, Model{Have: shown.Caller.Scopes}))
	}
	return v.Render(http.StatusOK, View(shown, Build(v.Core, v.L, v.R.URL.Query().Get("q"), &p.last)))
}

func (p *page) testNotifications(v *site.Visit) error {
	if len(v.Core.Config.Notify.URLs) == 0 {
		return &holdfast.Error{Op: "notify", Err: holdfast.Kindf(holdfast.ErrRefused, "nobody is to be told of alarms"), Hint: "set notify.urls"}
	}
	sent := v.Core.Notify(v.Context())
	p.last.noteSent(sent, v.Site.Now())
	tone, id := ui.Good, "settings.notify.sent"
	for _, d := range sent {
		if !d.OK {
			tone, id = ui.Bad, "settings.notify.failed"
		}
	}
	v.Notice(tone, id)
	return v.Redirect("/settings#notifications")
}

// testHook waits for the test, also longer than pages take: a command has a time limit of
// its own, and what it stopped is to be started again.
func (p *page) testHook(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	out, err := v.Core.Operations.TestHook(context.WithoutCancel(v.Context()), operation.HookTestRequest{Hook: form.Get("hook")})
	if err != nil {
		return err
	}
	p.last.noteTrial(out, v.Site.Now())
	tone, id := ui.Good, "settings.hooks.worked"
	if !out.OK {
		tone, id = ui.Bad, "settings.hooks.failed"
	}
	v.Notice(tone, id, "hook", out.Hook)
	return v.Redirect("/settings#hooks")
}
