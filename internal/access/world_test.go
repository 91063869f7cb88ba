package access

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/logtest"
)

// world is a door over a state directory, at a time that the test sets.
type world struct {
	t      testing.TB
	dir    string
	access *Access
	log    *logtest.Log
	cfg    *config.Config

	mu  sync.Mutex
	now time.Time
}

func newWorld(t testing.TB, change ...func(*config.Config)) *world {
	t.Helper()
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "state"), log: &logtest.Log{}, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	w.cfg = &config.Config{}
	w.cfg.Serve.Listen, w.cfg.Serve.Auth, w.cfg.Serve.RequestsPerMinute = "127.0.0.1:8484", config.AuthAuto, 1200
	for _, c := range change {
		c(w.cfg)
	}
	w.access = w.open()
	return w
}

// open gives a further door over the same directory, as another process has it.
func (w *world) open() *Access {
	w.t.Helper()
	a, err := Open(Options{Dir: w.dir, Config: w.cfg, Now: w.clock, Logger: slog.New(slog.NewJSONHandler(w.log, nil))})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// token makes a token as the command line does.
func (w *world) token(name string, scopes ...Scope) string {
	w.t.Helper()
	token, _, err := w.open().Tokens().Create(name, scopes, time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// request makes one, as it arrives on loopback.
func request(method, target string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:8484"
	r.RemoteAddr = "127.0.0.1:50000"
	for _, c := range change {
		c(r)
	}
	return r
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func bearer(token string) func(*http.Request) { return header("Authorization", "Bearer "+token) }

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

func from(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }

func arriving(at string) func(*http.Request) {
	return func(r *http.Request) {
		addr, err := net.ResolveTCPAddr("tcp", at)
		if err != nil {
			panic(err)
		}
		*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(addr)))
	}
}

// ask sends a request through the door; behind it is an operation that needs a
// scope, and says who called.
func (w *world) ask(needs Scope, r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/things/{name}", func(rw http.ResponseWriter, r *http.Request) {
		if err := w.access.Allow(r.Context(), needs); err != nil {
			WriteProblem(rw, "", err)
			return
		}
		Note(r.Context(), Facts{Backup: "monday", Operation: "op-1"})
		_, _ = rw.Write([]byte(CallerOf(r.Context()).Name))
	})
	mux.HandleFunc("/healthz", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("ok")) })
	out := httptest.NewRecorder()
	w.access.Handler(mux).ServeHTTP(out, r)
	return out
}

// want checks status and code of an answer.
func (w *world) want(out *httptest.ResponseRecorder, status int, code string) {
	w.t.Helper()
	if out.Code != status {
		w.t.Fatalf("status %d, want %d: %s", out.Code, status, out.Body)
	}
	if code == "" {
		return
	}
	var p Problem
	if err := json.Unmarshal(out.Body.Bytes(), &p); err != nil || p.Code != code || p.Status != status || p.Detail == "" {
		w.t.Fatalf("problem %+v (%v), want code %s", p, err, code)
	}
	if got := out.Header().Get("Content-Type"); got != "application/problem+json" {
		w.t.Fatalf("content type %q", got)
	}
}

// entries is the whole audit, newest first.
func (w *world) entries() []Entry {
	w.t.Helper()
	all, _, err := w.access.Audit().Read(Page{Limit: pageLimit})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// mustNotHold checks that nothing in the state directory or the log holds a text.
func (w *world) mustNotHold(secret string) {
	w.t.Helper()
	if strings.Contains(w.log.String(), secret) {
		w.t.Errorf("the log holds the secret")
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			w.t.Fatal(err)
		}
		if bytes.Contains(data, []byte(secret)) {
			w.t.Errorf("%s holds the secret", name)
		}
	}
}
