package api

import (
	"io"
	"net/http"
	"strings"

	"github.com/holdfast-backup/holdfast/internal/access"
)

// addHealth serves what platforms and Prometheus ask. The two states are open to
// everybody and tell nothing else.
func (s *server) addHealth(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", state(func() error { return call(s.core().Healthy) }))
	mux.HandleFunc("GET /readyz", state(func() error { return call(s.core().Ready) }))
	if s.o.Metrics == nil {
		return
	}
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if err := s.o.Access.Allow(r.Context(), access.ScopeRead); err != nil {
			writeProblem(w, r, problemOf(r.Context(), err))
			return
		}
		s.o.Metrics.ServeHTTP(w, r)
	})
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

// state answers with one word.
func state(of func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		word, status := "ok", http.StatusOK
		if of() != nil {
			word, status = "unavailable", http.StatusServiceUnavailable
		}
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = io.Copy(w, strings.NewReader(word+"\n")) // whoever does not read it is gone
	}
}
