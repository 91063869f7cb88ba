package site

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// newSite is a site whose callers have the scopes that the header X-Scopes names.
func newSite(t *testing.T, mount func(*Site)) http.Handler {
	t.Helper()
	doors, err := access.Open(access.Options{Dir: t.TempDir(), Config: &config.Config{}})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Core: func() api.Core { return api.Core{} }, Access: doors, Version: "1.2.3"})
	mount(s)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if words := r.Header.Get("X-Scopes"); words != "" {
			scopes, err := access.ParseScopes(strings.Split(words, ","))
			if err != nil {
				t.Error(err)
			}
			r = r.WithContext(access.WithCaller(r.Context(), access.Caller{Name: "tester", Token: "T", Scopes: scopes}))
		}
		s.ServeHTTP(w, r)
	})
}

// ask sends a request with headers in pairs; a body makes it a form.
func ask(h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var reads = []access.Scope{access.ScopeRead}

// page answers with a page of one sentence.
func page(v *Visit) error {
	return v.Render(http.StatusOK, ui.Frame(v.Page("overview", "A page")))
}

func TestSite_FailuresArePagesOfTheirStatus(t *testing.T) {
	failing := map[string]error{
		"/not-found":   &holdfast.Error{Op: "backup", Object: "monday", Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such backup")},
		"/usage":       &holdfast.Error{Op: "request", Err: holdfast.Kindf(holdfast.ErrUsage, "it names nothing")},
		"/refused":     &holdfast.Error{Op: "restore", Err: holdfast.Kindf(holdfast.ErrRefused, "it is open elsewhere"), Hint: "close it"},
		"/locked":      &holdfast.LockedError{Object: "repo"},
		"/damaged":     &holdfast.Error{Op: "read", Err: holdfast.Kindf(holdfast.ErrDamaged, "2 blocks are other ones")},
		"/cancelled":   context.Canceled,
		"/late":        fmt.Errorf("asked: %w", context.DeadlineExceeded),
		"/unexplained": errors.New("nil map in /srv/secret/place"),
	}
	h := newSite(t, func(s *Site) {
		for path, err := range failing {
			s.Get(path, reads, func(*Visit) error { return err })
		}
	})
	for path, status := range map[string]int{
		"/not-found": 404, "/usage": 400, "/refused": 409, "/locked": 423, "/damaged": 500, "/cancelled": 503, "/late": 503, "/unexplained": 500,
		"/no/such/page": 404,
	} {
		for _, lang := range locale.Languages() {
			w := ask(h, "GET", path, "", "X-Scopes", "read", "Accept-Language", string(lang))
			text := w.Body.String()
			if w.Code != status || !strings.Contains(text, `<html lang="`+string(lang)+`"`) || !strings.Contains(text, "<h1>") {
				t.Errorf("%s in %s: %d\n%.300s", path, lang, w.Code, text)
			}
			if strings.Contains(text, "/srv/secret/place") {
				t.Errorf("%s tells what is inside: %s", path, text)
			}
		}
	}
	w := ask(h, "GET", "/refused", "", "X-Scopes", "read", "HX-Request", "true")
	if text := w.Body.String(); w.Code != http.StatusConflict || strings.Contains(text, "<html") || !strings.Contains(text, "it is open elsewhere") {
		t.Errorf("for a part of a page: %d %s", w.Code, text)
	}
}

func TestSite_OtherMethodsAreNamed(t *testing.T) {
	h := newSite(t, func(s *Site) { s.Get("/page", reads, page) })
	w := ask(h, "POST", "/page", "a=b", "X-Scopes", "read")
	if w.Code != http.StatusMethodNotAllowed || !strings.Contains(w.Header().Get("Allow"), "GET") {
		t.Errorf("%d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestSite_AsksForScopes(t *testing.T) {
	h := newSite(t, func(s *Site) {
		s.Get("/page", reads, page)
		s.Post("/do", []access.Scope{access.ScopeAdmin}, func(v *Visit) error { return v.Redirect("/page") })
		s.Public("GET /login", page)
	})
	w := ask(h, "GET", "/page?a=b", "")
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/login?next="+url.QueryEscape("/page?a=b") {
		t.Errorf("nobody: %d to %q", w.Code, got)
	}
	if w := ask(h, "GET", "/page", "", "HX-Request", "true"); !strings.HasPrefix(w.Header().Get("HX-Redirect"), "/login?next=") {
		t.Errorf("the script of nobody: %d %v", w.Code, w.Header())
	}
	if w := ask(h, "POST", "/do", "a=b", "X-Scopes", "read,backup"); w.Code != http.StatusForbidden {
		t.Errorf("without the scope: %d", w.Code)
	}
	if w := ask(h, "POST", "/do", "a=b", "X-Scopes", "admin"); w.Code != http.StatusSeeOther {
		t.Errorf("with the scope: %d", w.Code)
	}
	if w := ask(h, "GET", "/login", ""); w.Code != http.StatusOK {
		t.Errorf("a public page: %d", w.Code)
	}
}

func TestSite_EveryAnswerHasThePolicy(t *testing.T) {
	h := newSite(t, func(s *Site) { s.Get("/page", reads, page) })
	for _, path := range []string{"/page", "/nothing", "/strip", "/assets/style.css"} {
		w := ask(h, "GET", path, "", "X-Scopes", "read")
		if got := w.Header().Get("Content-Security-Policy"); got != policy || strings.Contains(got, "unsafe") {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestSite_PagesArePackedAndStreamsAreNot(t *testing.T) {
	h := newSite(t, func(s *Site) {
		s.Get("/page", reads, page)
		s.Stream("/live", reads, func(v *Visit) error {
			out, err := v.Stream()
			if err != nil {
				return err
			}
			return out.Send(7, "step", templ.Raw("<p>one</p>\n<p>two</p>"))
		})
	})
	if w := ask(h, "GET", "/page", "", "X-Scopes", "read", "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("a page: %v", w.Header())
	}
	w := ask(h, "GET", "/live", "", "X-Scopes", "read", "Accept-Encoding", "gzip")
	if got, want := w.Body.String(), "id: 7\nevent: step\ndata: <p>one</p>\ndata: <p>two</p>\n\n"; got != want || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("a stream: %q, %v", got, w.Header())
	}
}

// What an engine, a hook or a name says may hold ends of lines of every kind.
func TestStream_NoTextEndsALineOfIt(t *testing.T) {
	h := newSite(t, func(s *Site) {
		s.Stream("/live", reads, func(v *Visit) error {
			out, err := v.Stream()
			if err != nil {
				return err
			}
			return out.Send(7, "", templ.Raw("<p>a\revent: close\r\rid: 9\r\nb\n\nc</p>\r"))
		})
	})
	w := ask(h, "GET", "/live", "", "X-Scopes", "read")
	want := "id: 7\ndata: <p>a\ndata: event: close\ndata: \ndata: id: 9\ndata: b\ndata: \ndata: c</p>\n\n"
	if got := w.Body.String(); got != want {
		t.Errorf("the stream: %q", got)
	}
}

func TestStream_BeatsAndEndsWithTheDaemon(t *testing.T) {
	closing, more := make(chan struct{}), make(chan int)
	doors, err := access.Open(access.Options{Dir: t.TempDir(), Config: &config.Config{}})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Core: func() api.Core { return api.Core{} }, Access: doors, Heartbeat: 5 * time.Millisecond, Closing: closing})
	s.streams["GET /live"] = true
	s.Public("GET /live", func(v *Visit) error {
		out, err := v.Stream()
		if err != nil {
			return err
		}
		for {
			n, ok := Wait(v.Context(), out, more)
			if !ok {
				return nil
			}
			if err := out.Send(int64(n), "", templ.Raw("news")); err != nil {
				return err
			}
		}
	})
	server := httptest.NewServer(s)
	defer server.Close()
	r, err := server.Client().Get(server.URL + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	beat := make([]byte, 3)
	if _, err := io.ReadFull(r.Body, beat); err != nil || string(beat) != ": \n" {
		t.Errorf("the heart beats %q, %v", beat, err)
	}
	more <- 3
	close(closing)
	rest, err := io.ReadAll(r.Body)
	if err != nil || !strings.Contains(string(rest), "id: 3\ndata: news\n\n") {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
}

func TestPreferences_AreKeptAndLeadBack(t *testing.T) {
	h := newSite(t, func(s *Site) { s.Get("/page", reads, page) })
	w := ask(h, "POST", "/preferences", "lang=fa&theme=dark&back=/page?x=1")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/page?x=1" {
		t.Errorf("%d to %q", w.Code, w.Header().Get("Location"))
	}
	cookies := ""
	for _, c := range w.Result().Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
			t.Errorf("the cookie %v", c)
		}
		cookies += c.Name + "=" + c.Value + "; "
	}
	text := ask(h, "GET", "/page", "", "X-Scopes", "read", "Cookie", cookies).Body.String()
	if !strings.Contains(text, `<html lang="fa" dir="rtl" data-theme="dark">`) {
		t.Errorf("the page begins %.200s", text)
	}
	for _, back := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, "evil", "", "/a\r\nX: y"} {
		w := ask(h, "POST", "/preferences", url.Values{"theme": {"system"}, "back": {back}}.Encode())
		if got := w.Header().Get("Location"); got != "/" {
			t.Errorf("back to %q leads to %q", back, got)
		}
	}
}

func TestVisit_ZoneOfTheReader(t *testing.T) {
	for name, want := range map[string]string{
		"Asia/Bangkok": "Asia/Bangkok", "": time.Local.String(), "../../etc/passwd": time.Local.String(), "No/Where": time.Local.String(),
		strings.Repeat("a", 65): time.Local.String(),
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: zoneCookie, Value: name})
		if got := zone(r).String(); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}
