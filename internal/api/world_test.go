package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// TestMain lets the tests run and then asks whether they have seen every answer that
// the document promises.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" && flag.Lookup("test.list").Value.String() == ""
	if code == 0 && whole {
		if missing := produced.missing(lastSpec.Load()); len(missing) > 0 {
			fmt.Fprintf(os.Stderr, "FAIL: no test has seen these answers of the document:\n\t%s\n", strings.Join(missing, "\n\t"))
			code = 1
		}
	}
	os.Exit(code)
}

var lastSpec atomic.Pointer[spec]

// A world is an API over a real keeper, a real repository and a database whose owner
// is the sqlite3 program.
type world struct {
	t        *testing.T
	dir      string
	database string
	core     Core
	access   *access.Access
	url      string
	spec     *spec
	closing  chan struct{}
	later    *atomic.Int64 // by how much the clock of the door is ahead, in nanoseconds
	token    string        // sent with every request, if there is one
}

// configure reads a configuration of one database.
func configure(t testing.TB, repository, database string, settings map[string]string, more ...func(*config.Flags)) *config.Config {
	t.Helper()
	s, err := config.AdHoc(holdfast.KindSQLite, "sqlite", "bot="+database)
	if err != nil {
		t.Fatal(err)
	}
	flags := config.Flags{NoFile: true, Repository: repository, Sources: []config.Source{s}, Settings: map[string]config.FlagValue{}}
	for name, value := range settings {
		flags.Settings[name] = config.FlagValue{Flag: name, Value: value}
	}
	for _, change := range more {
		change(&flags)
	}
	c, err := config.Load(flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newWorld(t *testing.T, settings map[string]string, more ...func(*config.Flags)) *world {
	t.Helper()
	return newWorldWith(t, func(*Options) {}, settings, more...)
}

// newWorldWith is newWorld with other options.
func newWorldWith(t *testing.T, change func(*Options), settings map[string]string, more ...func(*config.Flags)) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, database: filepath.Join(dir, "bot.db"), closing: make(chan struct{}), later: &atomic.Int64{}}
	sourcetest.SQLite(t, w.database, "PRAGMA journal_mode=WAL; CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT); INSERT INTO note(text) VALUES('first');")
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "xdg"))
	c := configure(t, filepath.Join(dir, "backups"), w.database, settings, more...)
	k, err := keeper.New(keeper.Options{Config: c, Daemon: true})
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := job.Open(job.Options{Dir: filepath.Join(dir, "state", "jobs")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		jobs.Close(ctx)
	})
	book := report.NewBook(func(ctx context.Context) ([]repo.Info, error) {
		r, err := k.Repository(ctx)
		if err != nil {
			return nil, err
		}
		return r.List(ctx)
	}, report.BookOptions{})
	ops, err := operation.New(operation.Options{Keeper: k, Config: c, Book: book, Jobs: jobs})
	if err != nil {
		t.Fatal(err)
	}
	w.core = Core{
		Config: c, Keeper: k, Book: book, Jobs: jobs, Operations: ops,
		Status: func(ctx context.Context) (report.Status, error) {
			r, broken := k.Repository(ctx)
			e, err := wire.Engine(c, wire.Options{Repository: r, Unusable: broken})
			if err != nil {
				return report.Status{}, err
			}
			return report.Look(ctx, report.LookOptions{Config: c, Engine: e, Repository: r, Err: broken, Counts: true})
		},
		Alarms: func() []alarm.Alarm {
			return []alarm.Alarm{{Kind: alarm.KindSpace, Message: "little room is left", Severity: holdfast.Warning, Since: holdfast.At(time.Now())}}
		},
		Tasks:  func() []holdfast.TaskStanding { return []holdfast.TaskStanding{k.Task()} },
		Notify: func(context.Context) []alarm.Delivery { return []alarm.Delivery{{Service: "smtp", OK: true}} },
	}
	if w.access, err = access.Open(access.Options{Dir: filepath.Join(dir, "state"), Config: c, Now: func() time.Time {
		return time.Now().Add(time.Duration(w.later.Load()))
	}}); err != nil {
		t.Fatal(err)
	}
	o := Options{
		Core: func() Core { return w.core }, Access: w.access, Version: "1.2.3", Heartbeat: 50 * time.Millisecond, Closing: w.closing,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "holdfast_backups 1\n") }),
	}
	change(&o)
	server := httptest.NewServer(New(o))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.readSpec()
	return w
}

func (w *world) readSpec() {
	w.t.Helper()
	res, err := http.Get(w.url + Root + "/openapi.json")
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	w.spec = &spec{}
	if err := json.NewDecoder(res.Body).Decode(w.spec); err != nil {
		w.t.Fatal(err)
	}
	lastSpec.Store(w.spec)
}

// A reply is one response, read to its end.
type reply struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   []byte
}

// ask sends a request and holds the response to the document. Headers are pairs of name
// and value.
func (w *world) ask(method, path string, body any, headers ...string) reply {
	w.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		in = bytes.NewReader(data)
	}
	if !strings.HasPrefix(path, "/") {
		path = Root + "/" + path
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, in)
	if err != nil {
		w.t.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	if strings.HasPrefix(path, Root) && !strings.Contains(path, "/openapi.") {
		w.spec.holdTo(w.t, method, req.URL.EscapedPath(), res.StatusCode, res.Header.Get("Content-Type"), data)
	}
	return reply{w.t, method + " " + path, res.StatusCode, res.Header, data}
}

// want wants a status and reads the body.
func (r reply) want(status int, into ...any) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: status %d, want %d: %s", r.what, r.status, status, r.body)
	}
	for _, v := range into {
		if err := json.Unmarshal(r.body, v); err != nil {
			r.t.Fatalf("%s: %v: %s", r.what, err, r.body)
		}
	}
	return r
}

// problem wants a failure of one kind.
func (r reply) problem(status int, code string) Problem {
	r.t.Helper()
	var p Problem
	r.want(status, &p)
	if p.Code != code || p.Status != status || p.Detail == "" || p.Title != http.StatusText(status) {
		r.t.Errorf("%s: problem %+v, want code %s", r.what, p, code)
	}
	if kind := r.header.Get("Content-Type"); kind != problemType {
		r.t.Errorf("%s: a problem is %s", r.what, kind)
	}
	return p
}

// write changes the database.
func (w *world) write(text string) {
	w.t.Helper()
	sourcetest.SQLite(w.t, w.database, "INSERT INTO note(text) VALUES('"+text+"');")
}

// rows counts what is in the database.
func (w *world) rows() int64 {
	w.t.Helper()
	return sourcetest.SQLiteInt(w.t, w.database, "SELECT count(*) FROM note;")
}

// backup makes one and gives its name.
func (w *world) backup(name string) string {
	w.t.Helper()
	var m made
	w.ask("POST", "backups", map[string]any{"name": name}).want(http.StatusCreated, &m)
	w.ended(m.Job) // with what follows it
	return m.Backup.Name.String()
}

// newToken makes a token of some scopes.
func (w *world) newToken(name string, scopes ...access.Scope) string {
	w.t.Helper()
	token, _, err := w.access.Tokens().Create(name, scopes, time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// as is the world of another caller.
func (w *world) as(token string) *world {
	other := *w
	other.token = token
	return &other
}

// ended waits for a job.
func (w *world) ended(id string) job.Job {
	w.t.Helper()
	j, err := w.core.Jobs.Wait(w.t.Context(), id)
	if err != nil && !errors.Is(err, context.Canceled) {
		w.t.Fatal(err)
	}
	return j
}
