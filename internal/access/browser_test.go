package access

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// The passwords of the tests.
const (
	goodPassword  = "correct horse battery"
	otherPassword = "staple of the battery"
)

// browser is one that keeps its cookies, on a machine of its own.
type browser struct {
	w       *world
	from    string
	cookies map[string]string
	headers http.Header
	last    *httptest.ResponseRecorder
}

// browse gives a browser at an address.
func (w *world) browse(from string) *browser {
	return &browser{w: w, from: from, cookies: map[string]string{}, headers: http.Header{"User-Agent": {"Test/1.0"}}}
}

// pages are those that the tests need, over a door.
func pages(a *Access) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if _, err := a.Login(w, r, r.PostFormValue("password"), r.PostFormValue("token")); err != nil {
			WriteProblem(w, "", err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		a.Logout(w, r)
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout/everywhere", func(w http.ResponseWriter, r *http.Request) {
		if _, err := a.LogoutEverywhere(r.Context()); err != nil {
			WriteProblem(w, "", err)
		}
	})
	mux.HandleFunc("POST /password", func(w http.ResponseWriter, r *http.Request) {
		if err := a.ChangePassword(w, r, r.PostFormValue("present"), r.PostFormValue("new")); err != nil {
			WriteProblem(w, "", err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /sessions", func(w http.ResponseWriter, r *http.Request) {
		all, err := a.Sessions(r.Context())
		if err != nil {
			WriteProblem(w, "", err)
			return
		}
		for _, s := range all {
			_, _ = w.Write([]byte(s.Name + " " + s.ID + "\n"))
		}
	})
	scoped := func(scope Scope) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := a.Allow(r.Context(), scope); err != nil {
				WriteProblem(w, "", err)
				return
			}
			_, _ = w.Write([]byte(CallerOf(r.Context()).Name))
		}
	}
	mux.HandleFunc("/", scoped(ScopeRead))
	mux.HandleFunc("/restore", scoped(ScopeRestore))
	mux.HandleFunc("/everything", scoped(ScopeAdmin))
	mux.HandleFunc("/api/v1/backups", scoped(ScopeRead))
	mux.HandleFunc("/looks", func(w http.ResponseWriter, r *http.Request) {
		if a.Allow(r.Context(), ScopeRead) != nil {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		}
	})
	mux.HandleFunc("/ended", func(w http.ResponseWriter, r *http.Request) {
		if a.SessionEnded(r) {
			_, _ = w.Write([]byte("ended"))
		}
	})
	return a.Handler(mux)
}

// ask sends a request to a door; a form makes it a POST.
func (b *browser) ask(a *Access, path string, form url.Values) *httptest.ResponseRecorder {
	b.w.t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:8484", b.from
	for name, values := range b.headers {
		r.Header[name] = values
	}
	if r.Header.Get("Sec-Fetch-Mode") == "" {
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	out := httptest.NewRecorder()
	pages(a).ServeHTTP(out, r)
	b.last = out
	for _, c := range out.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
	}
	return out
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	b.w.t.Helper()
	return b.ask(b.w.access, path, nil)
}

func (b *browser) post(path string, fields ...string) *httptest.ResponseRecorder {
	b.w.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.ask(b.w.access, path, form)
}

// in checks who the browser is logged in as; empty is nobody.
func (b *browser) in(name string) {
	b.w.t.Helper()
	out := b.get("/")
	switch {
	case name == "" && out.Code != http.StatusUnauthorized:
		b.w.t.Fatalf("still let in as %s (status %d)", out.Body, out.Code)
	case name != "" && (out.Code != http.StatusOK || out.Body.String() != name):
		b.w.t.Fatalf("status %d as %s, want %s", out.Code, out.Body, name)
	}
}

// login logs in by the password, which must succeed.
func (b *browser) login(password string) *browser {
	b.w.t.Helper()
	if out := b.post("/login", "password", password); out.Code != http.StatusSeeOther {
		b.w.t.Fatalf("login: status %d: %s", out.Code, out.Body)
	}
	return b
}

// loginBy logs in by a token, which must succeed.
func (b *browser) loginBy(token string) *browser {
	b.w.t.Helper()
	if out := b.post("/login", "token", token); out.Code != http.StatusSeeOther {
		b.w.t.Fatalf("login: status %d: %s", out.Code, out.Body)
	}
	return b
}

// key is what the browser's cookie holds.
func (b *browser) key() string {
	for _, value := range b.cookies {
		return value
	}
	return ""
}

// withPassword gives a world whose pages have a password.
func withPassword(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	if err := w.open().SetPassword(t.Context(), goodPassword); err != nil {
		t.Fatal(err)
	}
	return w
}
