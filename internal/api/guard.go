package api

import (
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/holdfast-backup/holdfast"
)

// maxPath bounds the path and the query of a request.
const maxPath = 4 << 10

// besides are the paths beside the API that are not for people.
var besides = []string{"/healthz", "/readyz", "/metrics"}

// guarded lets a request through to the routes only if its path is plain and known.
// What is refused gets a problem, which the routes themselves would not write. Paths
// that are none of the API's are the pages', if there are any.
func guarded(mux *http.ServeMux, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := checkPath(r); p != nil {
			writeProblem(w, r, p)
			return
		}
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		if pages != nil && ForPages(r) {
			pages.ServeHTTP(w, r)
			return
		}
		// The mux knows whether the path has other methods.
		said := &statusOnly{header: http.Header{}}
		mux.ServeHTTP(said, r)
		if allow := said.header.Get("Allow"); said.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", allow)
			writeProblem(w, r, newProblem(http.StatusMethodNotAllowed, holdfast.ExitUsage,
				r.URL.Path+" does not understand this method", "it understands "+allow))
			return
		}
		writeProblem(w, r, newProblem(http.StatusNotFound, holdfast.ExitNotFound,
			"there is nothing at this path", "the OpenAPI document at "+Root+"/openapi.json lists every path"))
	})
}

// ForPages tells whether a path is none of the API's, nor of what watches the daemon: it
// is for people.
func ForPages(r *http.Request) bool {
	p := r.URL.Path
	return p != Root && !strings.HasPrefix(p, "/api/") && !slices.Contains(besides, p)
}

// checkPath refuses paths that a reader could take for others.
func checkPath(r *http.Request) *Problem {
	refuse := func(why string) *Problem {
		return newProblem(http.StatusBadRequest, holdfast.ExitUsage, "the path of the request "+why, "")
	}
	p := r.URL.Path
	switch {
	case len(r.URL.EscapedPath()) > maxPath || len(r.URL.RawQuery) > maxPath:
		return newProblem(http.StatusRequestURITooLong, holdfast.ExitUsage, "the path or the query of the request is too long", "")
	case strings.ContainsFunc(p, unicode.IsControl):
		return refuse("holds a control character")
	case strings.Contains(p, "//") || strings.Contains(p, `\`):
		return refuse("is not plain")
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "." || part == ".." {
			return refuse("is not plain")
		}
	}
	return nil
}

// statusOnly takes a response of which only the status and the header matter.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }

// writeProblem answers with a problem where no operation does.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_ = jsonFormat.Marshal(w, p) // whoever does not read it is gone
	}
}
