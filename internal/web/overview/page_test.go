package overview_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/history"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/overview"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
)

func has(t *testing.T, r webtest.Reply, parts ...string) {
	t.Helper()
	if r.Status != http.StatusOK {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}
	for _, part := range parts {
		if !strings.Contains(r.Body, part) {
			_, main, _ := strings.Cut(r.Body, "<h1>")
			t.Errorf("%q is not in the page, which begins %.300s", part, main)
		}
	}
}

// From the first visit to a proven backup, with a real database and repository.
func TestPage_TellsHowSafeTheDataIs(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	has(t, w.Get("/"), "has never been backed up", `action="/quick"`, "/new", "The last 30 days")
	w.Backup("one")
	has(t, w.Get("/"), "no backup has been proven yet", `action="/backups/one/verify"`, `href="/backups/one"`, "1 row <", " 1 table<")
	w.Ended(w.Core().Operations.Verify(t.Context(), "tester", "", operation.VerifyRequest{}))
	has(t, w.Get("/"), "Everything is backed up. Last backup just now, proven just now.")
	has(t, w.Get("/", "Accept-Language", "th"), "ข้อมูลทั้งหมดสำรองไว้แล้ว", `lang="th"`)
	has(t, w.Get("/", "Accept-Language", "fa"), "از همه‌چیز پشتیبان گرفته شده است", `dir="rtl"`)
}

func TestPage_AReaderHasNoButtons(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	token, _, err := w.Access.Tokens().Create("viewer", access.Scopes{access.ScopeRead}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	w.Token = token
	r := w.Get("/")
	has(t, r, "log in with a password or a token that may")
	for _, action := range []string{"/quick", "/verify", "/hold/confirm"} {
		if strings.Contains(r.Body, `action="`+action+`"`) {
			t.Errorf("there is a button for %s", action)
		}
	}
	for _, action := range []string{"/verify", "/hold/confirm"} {
		if r := w.Post(action, nil); r.Status != http.StatusForbidden {
			t.Errorf("POST %s: %d", action, r.Status)
		}
	}
}

func TestPage_ActionsLeadToTheirJobs(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	w.Backup("one")
	for _, action := range []string{"/verify", "/hold/confirm"} {
		r := w.Post(action, url.Values{})
		at := r.Header.Get("Location")
		if r.Status != http.StatusSeeOther || !strings.HasPrefix(at, "/jobs/") {
			t.Fatalf("POST %s: %d %s", action, r.Status, at)
		}
		if _, err := w.Core().Jobs.Wait(t.Context(), strings.TrimPrefix(at, "/jobs/")); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
}

// pages are the overview alone, over a core that a test changes.
func pages(t *testing.T, w *webtest.World, status func(context.Context) (report.Status, error)) func(headers ...string) webtest.Reply {
	t.Helper()
	core := w.Core()
	core.Glance = status
	core.History = func(days int) history.Log {
		if days < 90 {
			t.Errorf("only %d days are asked for", days)
		}
		at := holdfast.At(time.Now().Add(-48 * time.Hour).Truncate(history.Width))
		return history.Log{Since: at, Buckets: []history.Bucket{{Start: at, Missed: 3}}}
	}
	s := site.New(site.Options{Core: func() api.Core { return core }, Access: w.Access})
	overview.Mount(s)
	server := httptest.NewServer(w.Access.Handler(s))
	t.Cleanup(server.Close)
	return func(headers ...string) webtest.Reply {
		r := w.Request(t.Context(), http.MethodGet, "/", nil, headers...)
		r.URL.Host = strings.TrimPrefix(server.URL, "http://")
		r.Host = r.URL.Host
		return w.Do(r)
	}
}

// A look that takes long is not waited for, and the page asks again.
func TestPage_ALookThatTakesLong(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	looked := make(chan struct{})
	get := pages(t, w, func(ctx context.Context) (report.Status, error) {
		select {
		case <-looked:
			return report.Status{Verdict: report.Never}, nil
		case <-ctx.Done():
			return report.Status{}, ctx.Err()
		}
	})
	has(t, get(), "Looking at everything", `data-hx-trigger="every 1s"`, "3 runs missed")
	close(looked)
	has(t, get("HX-Request", "true"), "Nothing is protected yet", `data-hx-trigger="every 30s"`, "sources:")
}

func TestPage_ALookThatFails(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	get := pages(t, w, func(context.Context) (report.Status, error) {
		return report.Status{}, &holdfast.Error{Op: "read journal", Object: "restore.json", Err: errors.New("permission denied"), Hint: "look at its owner"}
	})
	has(t, get(), "It is not known how safe the data is", "permission denied", "look at its owner", "restore.json", "Look again")
}

// The button of a backup makes one, however often it is pressed.
func TestQuick_TwoClicksMakeOneBackup(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	form := regexp.MustCompile(`(?s)action="/quick">.*?name="key" value="([^"]+)"`)
	key := form.FindStringSubmatch(w.Get("/").Body)
	if key == nil {
		t.Fatal("the button sends no key")
	}
	first, second := w.Post("/quick", url.Values{"key": {key[1]}}), w.Post("/quick", url.Values{"key": {key[1]}})
	if at := first.Header.Get("Location"); !strings.HasPrefix(at, "/jobs/") || second.Header.Get("Location") != at {
		t.Errorf("two clicks lead to %q and %q", at, second.Header.Get("Location"))
	}
	if next := form.FindStringSubmatch(w.Get("/").Body); next != nil && next[1] == key[1] {
		t.Error("the next visit has the same key, so that no further backup can be made")
	}
}

// Who decided that Auto Backup is off is told: somebody, or the configuration.
func TestPage_TellsWhoSwitchedAutoBackupOff(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	has(t, w.Get("/"), "Auto Backup is on.")
	if _, err := w.Core().Operations.SetAutoBackup("somchai", operation.AutoBackupRequest{}); err != nil {
		t.Fatal(err)
	}
	has(t, w.Get("/"), "Auto Backup is off.", "somchai", "switched it off")
	w = webtest.New(t, webtest.Options{Settings: map[string]string{"auto_backup": "false"}})
	has(t, w.Get("/"), "Auto Backup is off.", "The configuration switches it off")
}
