package activity_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
)

// want wants a page that says some things.
func want(t *testing.T, r webtest.Reply, status int, text ...string) {
	t.Helper()
	if r.Status != status {
		t.Fatalf("status %d, want %d: %s", r.Status, status, r.Body)
	}
	for _, one := range text {
		if !strings.Contains(r.Body, one) {
			t.Errorf("it does not say %q:\n%s", one, r.Body)
		}
	}
}

func without(t *testing.T, r webtest.Reply, text ...string) {
	t.Helper()
	for _, one := range text {
		if strings.Contains(r.Body, one) {
			t.Errorf("it says %q", one)
		}
	}
}

func TestActivity_TellsWhoDidWhat(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	want(t, w.Get("/activity"), http.StatusOK, "Nothing has happened yet")
	w.Backup("monday")
	w.Ended(w.Core().Operations.Verify(t.Context(), "nok", "", operation.VerifyRequest{Name: "monday"}))
	// One that is no job, as the schedule makes it.
	e, err := w.Core().Keeper.Engine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Backup(t.Context(), engine.BackupRequest{Name: "nightly", Trigger: holdfast.TriggerScheduled}); err != nil {
		t.Fatal(err)
	}
	w.Core().Book.Changed()
	page := w.Get("/activity")
	want(t, page, http.StatusOK, "Backup made", "monday", "tester", "Verified", "nok", "nightly", "Scheduled", "Log")
	if n := strings.Count(page.Body, `href="/backups/monday"`); n != 2 {
		t.Errorf("monday is told %d times, want its backup and its verification", n)
	}
	page = w.Get("/activity?by=nok&kind=verify&q=mon")
	want(t, page, http.StatusOK, "Verified", "Show everything")
	without(t, page, "nightly", "Backup made")
	page = w.Get("/activity?by=" + url.QueryEscape("*"))
	want(t, page, http.StatusOK, "nightly")
	without(t, page, "Verified")
	want(t, w.Get("/activity?kind=drill"), http.StatusOK, "Nothing like that was done")
	want(t, w.Get("/activity?tab=tasks"), http.StatusOK, "Back up")
}

func TestActivity_UnfoldsTheLog(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	j := w.Backup("monday")
	log := w.Get("/activity/log/" + j.ID)
	want(t, log, http.StatusOK, "Save the backup", "/jobs/"+j.ID)
	without(t, log, "<html")
	want(t, w.Get("/activity?log="+j.ID), http.StatusOK, "<html", "Save the backup")
	want(t, w.Get("/activity/log/20261122T061500000-K7Q2M9XA"), http.StatusNotFound)
}

func TestActivity_TheAuditIsForWhoMayDoEverything(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	w.Backup("monday")
	token := func(scope access.Scope) string {
		text, _, err := w.Access.Tokens().Create(string(scope)+"er", []access.Scope{scope}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	reader, admin, maker := token(access.ScopeRead), token(access.ScopeAdmin), token(access.ScopeBackup)
	w.Token = reader
	page := w.Get("/activity")
	want(t, page, http.StatusOK, "monday")
	without(t, page, "tab=audit")
	want(t, w.Get("/activity?tab=audit"), http.StatusForbidden)
	w.Token = maker
	want(t, w.Get("/activity"), http.StatusForbidden)
	w.Token = admin
	want(t, w.Get("/activity"), http.StatusOK, "tab=audit")
	want(t, w.Get("/activity?tab=audit"), http.StatusOK, "token create", "the command line", "Refused", "reader", "/activity")
}
