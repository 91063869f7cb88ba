package settings_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
)

// want wants a page that says some things, and none of what is marked with a minus.
func want(t *testing.T, r webtest.Reply, status int, texts ...string) {
	t.Helper()
	if r.Status != status {
		t.Fatalf("status %d, want %d: %s", r.Status, status, r.Body)
	}
	for _, text := range texts {
		not, absent := strings.CutPrefix(text, "-")
		if absent == strings.Contains(r.Body, not) {
			t.Errorf("absent %v: %q in\n%s", absent, not, r.Body)
		}
	}
}

func TestSettings_WhatIsInForceAndWhereItComesFrom(t *testing.T) {
	w := webtest.New(t, webtest.Options{Settings: map[string]string{
		"retention.days": "30", "retention.keep_last": "1", "notify.urls": "ntfy://user:hunter2@ntfy.example/t", "webhooks.urls": "https://example.org/hunter2",
	}})
	page := w.Get("/settings")
	want(t, page, http.StatusOK,
		"There is no configuration file", "Backups are kept for 30 days.", "The newest one always stays.", "Backups lie in one place only.",
		"One service is told", "HOLDFAST_RETENTION_DAYS", "Command line", "not set", "***", "holdfast config show", "-hunter2")
	if strings.Count(page.Body, "Changed<") != strings.Count(page.Body, "Default: ")+3 {
		t.Errorf("what differs from its default has that beside it, if there is one:\n%s", page.Body)
	}
}

func TestSettings_AreSearchedInTheWordsOfTheReader(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	for q, texts := range map[string][]string{
		"Retention DAYS":           {"retention.days", "-retention.keep_last", "-serve.listen"},
		"HOLDFAST_SERVE_LISTEN":    {"serve.listen", "-retention.days"},
		"newest":                   {"retention.keep_last", "-retention.days<"},
		"nothing of this kind":     {"No setting matches", "-serve.listen"},
		`"><script>alert</script>`: {"No setting matches", "-<script>alert"},
	} {
		want(t, w.Get("/settings?q="+url.QueryEscape(q)), http.StatusOK, texts...)
	}
	want(t, w.Get("/settings?q="+url.QueryEscape("ที่เก็บข้อมูลสำรอง"), "Accept-Language", "th"), http.StatusOK, ">repository<", "-serve.listen")
}

func TestSettings_SayWhichScopeIsMissing(t *testing.T) {
	w := webtest.New(t, webtest.Options{Settings: map[string]string{"hooks.before_backup": "echo from-the-hook"}})
	secret, _, err := w.Access.Tokens().Create("viewer", access.Scopes{access.ScopeRead}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	w.Token = secret
	want(t, w.Get("/settings"), http.StatusForbidden, "Settings are for those who may do everything", "(admin)", "(read)", "-from-the-hook", "-HOLDFAST_")
	for _, path := range []string{"/settings/hooks/test", "/settings/notifications/test"} {
		want(t, w.Post(path, url.Values{"hook": {"before_backup"}}), http.StatusForbidden)
	}
}

func TestSettings_TestAHook(t *testing.T) {
	made := filepath.Join(t.TempDir(), "made")
	w := webtest.New(t, webtest.Options{Settings: map[string]string{
		"hooks.before_backup": "echo $HOLDFAST_OP > " + made + "; echo no importer here; exit 3", "hooks.stop": "echo down", "hooks.start": "echo up",
	}})
	want(t, w.Get("/settings"), http.StatusOK, "Before a backup", "The command runs for real", "This stops the application", "-Did not work")
	if _, err := os.Stat(made); err == nil {
		t.Fatal("looking at the page ran the hook")
	}
	if r := w.Post("/settings/hooks/test", url.Values{"hook": {"before_backup"}}); r.Status != http.StatusSeeOther || r.Header.Get("Location") != "/settings#hooks" {
		t.Fatalf("%+v", r)
	}
	if said, err := os.ReadFile(made); err != nil || string(said) != "test\n" {
		t.Errorf("%q, %v", said, err)
	}
	want(t, w.Get("/settings"), http.StatusOK, "Did not work", "exit status 3", "no importer here", "Last test", "->down<")
	w.Post("/settings/hooks/test", url.Values{"hook": {"stop_start"}})
	want(t, w.Get("/settings"), http.StatusOK, "Did not work", "Worked", ">down<", ">up<")
	want(t, w.Post("/settings/hooks/test", url.Values{"hook": {"rm"}}), http.StatusNotFound)
	want(t, w.Post("/settings/hooks/test", nil), http.StatusNotFound)
}

func TestSettings_TestNotifications(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	want(t, w.Get("/settings"), http.StatusOK, "Nobody is told of alarms yet")
	want(t, w.Post("/settings/notifications/test", nil), http.StatusConflict)

	calls := 0
	w = webtest.New(t, webtest.Options{
		Settings: map[string]string{"notify.urls": "ntfy://ntfy.example/t,ntfy://other.example/t"},
		Notify: func(context.Context) []alarm.Delivery {
			calls++
			return []alarm.Delivery{{Service: "notify.urls[0] (ntfy)", OK: true}, {Service: "notify.urls[1] (ntfy)", Error: "connection refused"}}
		},
	})
	want(t, w.Get("/settings"), http.StatusOK, "Send a test", "holdfast notify test", "-Not told")
	if r := w.Post("/settings/notifications/test", nil); r.Status != http.StatusSeeOther || calls != 1 {
		t.Fatalf("%d calls, %+v", calls, r)
	}
	want(t, w.Get("/settings"), http.StatusOK, "notify.urls[0] (ntfy)", "Told", "Not told", "connection refused")
}
