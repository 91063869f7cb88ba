package access

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzDoor_NobodyGetsInWithoutTheToken sends whatever there is to a door that a
// token closes: nothing comes through but the pages that are open, and nothing
// that was sent as a secret is repeated.
func FuzzDoor_NobodyGetsInWithoutTheToken(f *testing.F) {
	for _, path := range []string{"/api/v1/backups", "/healthz", "/healthz/", "//healthz", "/healthz/../api", "/%68ealthz", "/readyz?token=x", "/api/v1/backups?q=hf_0011", "*", "/a;b", "/api", "/api/", "/metrics", "/x/../api/v1/backups", "/api%2fv1", "/login"} {
		for _, auth := range []string{"", "Bearer x", "Bearer hf_0011223344556677_" + strings.Repeat("a", 52), "Basic eDp5", "bearer  ", "hf_"} {
			f.Add("GET", path, "localhost:8484", "", auth)
			f.Add("POST", path, "attacker.example", "https://attacker.example", auth)
		}
	}
	w := newWorld(f)
	w.token("me", ScopeAdmin)
	f.Fuzz(func(t *testing.T, method, target, host, origin, auth string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		w.t = t
		w.pass(time.Minute) // refusals are limited
		through := false
		var caller Caller
		h := w.access.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { through, caller = true, CallerOf(r.Context()) }))
		r := &http.Request{Method: method, URL: u, Host: host, Header: http.Header{}, Body: http.NoBody, RemoteAddr: "127.0.0.1:1"}
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		out := httptest.NewRecorder()
		h.ServeHTTP(out, r)
		isOpen := (u.Path == "/healthz" || u.Path == "/readyz") && safe(method)
		isAPI := !strings.HasPrefix(u.Path, "/") || strings.Trim(u.Path, "/") == "api" || strings.HasPrefix(u.Path, "/api/") || u.Path == "/metrics"
		if through && !isOpen && (isAPI || auth != "") || caller.Name != "" || caller.Scopes != nil {
			t.Errorf("%s %q came through as %q: %+v", method, target, auth, caller)
		}
		if !through && out.Code < 400 {
			t.Errorf("a refusal has the status %d", out.Code)
		}
		if _, secret, ok := splitToken(strings.TrimPrefix(auth, "Bearer ")); ok {
			w.mustNotHold(secret)
			if strings.Contains(out.Body.String(), secret) {
				t.Error("the answer repeats the secret")
			}
		}
	})
}
