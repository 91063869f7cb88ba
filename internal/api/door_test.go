package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/access"
)

// requests gives a request for each operation of the document.
func (w *world) requests(each func(id, method, path, scope string)) {
	for pattern, operations := range w.spec.Paths {
		path := strings.NewReplacer("{name}", "one", "{id}", "20241030T143000123-K7Q2M9XA").Replace(pattern)
		for method, op := range operations {
			if op.Scope == nil {
				w.t.Errorf("%s says nothing of its scope", op.ID)
				continue
			}
			each(op.ID, strings.ToUpper(method), path, *op.Scope)
		}
	}
}

// What every operation refuses, whatever it does.
func TestDoor_EveryOperationRefuses(t *testing.T) {
	w := newWorld(t, map[string]string{"serve.requests_per_minute": "100000"})
	w.requests(func(id, method, path, _ string) {
		w.ask(method, path+"?nonsense=1", nil).problem(http.StatusUnprocessableEntity, "usage")
		w.ask(method, path, nil, "Accept", "image/png").problem(http.StatusNotAcceptable, "usage")
	})
	nobody := w.as("")
	scopes := map[string]*world{}
	for _, scope := range access.AllScopes() {
		scopes[string(scope)] = w.as(w.newToken(string(scope), scope))
	}
	w.requests(func(id, method, path, scope string) {
		w.later.Add(int64(time.Minute)) // a stranger is answered so often only
		nobody.ask(method, path, nil).problem(http.StatusUnauthorized, "unauthorized")
		if scope == "" {
			return
		}
		for has, caller := range scopes {
			allowed := has == "admin" || has == "restore" && strings.Contains(scope, "read")
			for one := range strings.SplitSeq(scope, ",") {
				allowed = allowed || one == has
			}
			if !allowed {
				caller.ask(method, path, nil).problem(http.StatusForbidden, "forbidden")
			}
		}
	})
	for i := range 30 {
		if r := nobody.ask("GET", "version", nil); r.status != http.StatusUnauthorized {
			r.problem(http.StatusTooManyRequests, "too_many")
			if r.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			break
		} else if i == 29 {
			t.Error("nobody is told to wait")
		}
	}
}

// Each scope may do what the document says, and what is open stays open.
func TestDoor_ScopesOpenWhatTheyShould(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("one")
	w.token = w.newToken("me", access.ScopeAdmin)
	reader, restorer := w.as(w.newToken("reader", access.ScopeRead)), w.as(w.newToken("restorer", access.ScopeRestore))
	for _, one := range []*world{w, reader, restorer} {
		for _, path := range []string{"backups", "backups/one", "backups/one/files", "status", "sources", "replicas", "jobs", "tasks", "alarms", "version", "/metrics"} {
			one.ask("GET", path, nil).want(http.StatusOK)
		}
	}
	restorer.ask("GET", "backups/one/download", nil).want(http.StatusOK)
	restorer.ask("POST", "backups/one/restore-plan", nil).want(http.StatusOK)
	w.ask("GET", "activity", nil).want(http.StatusOK)
	nobody := w.as("")
	nobody.ask("GET", "/healthz", nil).want(http.StatusOK)
	nobody.ask("GET", "/readyz", nil).want(http.StatusOK)
	nobody.ask("GET", "/metrics", nil).problem(http.StatusUnauthorized, "unauthorized")
	if got := nobody.ask("GET", "status", nil).header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
		t.Errorf("WWW-Authenticate %q", got)
	}
}

// Paths that could be read in two ways are read in none.
func TestDoor_PathsThatAreNotPlain(t *testing.T) {
	w := newWorld(t, nil)
	for path, want := range map[string]int{
		"/":                                      404,
		"/api":                                   404,
		"/api/v1":                                404,
		"/api/v1/":                               404,
		"/api/v2/backups":                        404,
		"/api/v1/backups/":                       404,
		"/api/v1//backups":                       400,
		"/api/v1/backups/../backups":             400,
		"/api/v1/backups/%2e%2e/config":          400,
		"/api/v1/backups/..%2f..%2fetc%2fpasswd": 400,
		"/api/v1/backups/a%2fb":                  400,
		"/api/v1/backups/%00":                    400,
		"/api/v1/backups/a%0d%0aSet-Cookie:%20x=1":      400,
		"/api/v1/backups/.hidden":                       400,
		"/api/v1/backups/con":                           400,
		"/api/v1/backups/a%5cb":                         400,
		"/api/v1/backups/%ff%fe":                        400,
		"/api/v1/backups/" + strings.Repeat("x", 300):   400,
		"/api/v1/backups/" + strings.Repeat("x", 5000):  414,
		"/api/v1/backups?q=" + strings.Repeat("x", 250): 422,
		"/api/v1/backups/one":                           404,
		"/api/v1/backups/%D9%BE%D8%B4":                  404,
		"/docs":                                         404,
		"/openapi.json":                                 404,
		"/schemas/Problem.json":                         404,
	} {
		if r := w.ask("GET", path, nil); r.status != want {
			t.Errorf("%s: %d, want %d", path, r.status, want)
		} else if r.header.Get("Content-Type") != problemType {
			t.Errorf("%s: %s", path, r.header.Get("Content-Type"))
		}
	}
}

func TestDoor_MethodsAndHeads(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("one")
	r := w.ask("PUT", "backups/one", nil).want(http.StatusMethodNotAllowed)
	for _, method := range []string{"GET", "HEAD", "PATCH", "DELETE"} {
		if !strings.Contains(r.header.Get("Allow"), method) {
			t.Errorf("Allow: %s", r.header.Get("Allow"))
		}
	}
	for _, path := range []string{"backups", "backups/one", "status", "/healthz", "openapi.json"} {
		get, head := w.ask("GET", path, nil).want(http.StatusOK), w.ask("HEAD", path, nil).want(http.StatusOK)
		if len(head.body) > 0 || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("HEAD %s: %q, %s", path, head.body, head.header.Get("Content-Type"))
		}
	}
	w.ask("HEAD", "backups/none", nil).want(http.StatusNotFound)
	w.ask("GET", "backups", nil, "Accept", "text/html, application/*;q=0.5").want(http.StatusOK)
	w.ask("GET", "backups", nil, "Accept", "application/json;q=0").problem(http.StatusNotAcceptable, "usage")
}

// What nobody asked to keep is kept by nobody.
func TestDoor_NothingIsCached(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"status", "jobs", "config", "activity", "backups/none", "nowhere", "version"} {
		if got := w.ask("GET", path, nil).header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
	}
	for _, path := range []string{"/api/v1/openapi.json", "/api/v1/openapi.yaml"} {
		r := w.ask("GET", path, nil).want(http.StatusOK)
		w.ask("GET", path, nil, "If-None-Match", r.header.Get("ETag")).want(http.StatusNotModified)
		if strings.Contains(string(r.body), "unpkg") || len(r.body) < 10000 {
			t.Errorf("%s: %d bytes", path, len(r.body))
		}
	}
}
