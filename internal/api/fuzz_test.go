package api

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

// FuzzRequest sends whatever anybody can think of to an API that may read, and to
// the same that may do everything. No request ends in a fault of ours, and none leaves
// anything outside of the directories that belong to it.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", "/api/v1/backups?limit=3&q=x&since=2024-01-01T00:00:00Z", ""},
		{"GET", "/api/v1/backups/..%2f..%2fetc", ""},
		{"GET", "/api/v1/backups/latest/files?after=Li4vLi4v&source=../..", ""},
		{"GET", "/api/v1/backups/latest/download?source=%00&format=zip", ""},
		{"GET", "/api/v1/jobs/20241030T143000123-K7Q2M9XA/events?after=9223372036854775807", ""},
		{"GET", "/api/v1/jobs?state=running,failed&after=%ff", ""},
		{"GET", "/api/v1/activity?before=../audit", ""},
		{"POST", "/api/v1/backups", `{"name":"../../evil","wait":false}`},
		{"POST", "/api/v1/backups", `{"note":"\u0000","trigger":"auto","wait_timeout":-1}`},
		{"POST", "/api/v1/backups/latest/restore-plan", `{"only":["../../etc"]}`},
		{"PATCH", "/api/v1/backups/latest", `{"pinned":null}`},
		{"DELETE", "/api/v1/backups/%2e%2e?wait=maybe", ""},
		{"POST", "/api/v1/replicate", `{"to":["/etc"],"names":["..","/"]}`},
		{"OPTIONS", "*", ""},
		{"TRACE", "/api/v1//backups/./../", "[[[["},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	dir := f.TempDir()
	h := quietHandler(f, dir)
	f.Fuzz(func(t *testing.T, method, target, body string) {
		if method == "" || strings.ContainsFunc(method, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
			return // net/http answers it before us
		}
		req, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1", strings.NewReader(body))
		if err != nil {
			return
		}
		u, err := req.URL.Parse("http://127.0.0.1" + target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return // net/http answers it before us
		}
		req.URL, req.RequestURI, req.RemoteAddr = u, target, "127.0.0.1:9"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code >= 500 {
			t.Errorf("%s %q %q: %d %s", method, target, body, w.Code, w.Body)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != problemType {
			t.Errorf("%s %q: %d is %s", method, target, w.Code, w.Header().Get("Content-Type"))
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "state" && e.Name() != "backups" && e.Name() != "xdg" {
				t.Errorf("%s %q left %s", method, target, e.Name())
			}
		}
	})
}

// quietHandler is an API whose data is not there: nothing that is begun takes long.
func quietHandler(f *testing.F, dir string) http.Handler {
	f.Helper()
	f.Setenv("XDG_STATE_HOME", filepath.Join(dir, "xdg"))
	c := configure(f, filepath.Join(dir, "backups"), filepath.Join(dir, "bot.db"), map[string]string{"serve.requests_per_minute": "1000000000"})
	k, err := keeper.New(keeper.Options{Config: c, Daemon: true})
	if err != nil {
		f.Fatal(err)
	}
	jobs, err := job.Open(job.Options{Dir: filepath.Join(dir, "state", "jobs"), KeepMost: 10})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { jobs.Close(f.Context()) })
	book := report.NewBook(func(ctx context.Context) ([]repo.Info, error) {
		r, err := k.Repository(ctx)
		if err != nil {
			return nil, err
		}
		return r.List(ctx)
	}, report.BookOptions{})
	ops, err := operation.New(operation.Options{Keeper: k, Config: c, Jobs: jobs, Book: book})
	if err != nil {
		f.Fatal(err)
	}
	door, err := access.Open(access.Options{Dir: filepath.Join(dir, "state"), Config: c})
	if err != nil {
		f.Fatal(err)
	}
	core := Core{
		Config: c, Keeper: k, Book: book, Jobs: jobs, Operations: ops,
		Status: func(context.Context) (report.Status, error) { return report.Status{Type: "status"}, nil },
		Alarms: func() []alarm.Alarm { return nil }, Tasks: func() []holdfast.TaskStanding { return nil },
		Notify: func(context.Context) []alarm.Delivery { return nil },
	}
	return New(Options{Core: func() Core { return core }, Access: door, Version: "1.2.3", Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "")
	})})
}
