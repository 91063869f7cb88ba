// Package webtest gives tests of the pages what they stand on: a real repository with a
// real database, the core of a daemon over it, and the pages behind the door of the API.
//
// Start from [New], then [World.Get] and [World.Post].
package webtest

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/history"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// A World is a database, its repository, and the daemons that serve them one after the
// other.
type World struct {
	T        *testing.T
	Dir      string
	Database string
	Config   *config.Config
	Access   *access.Access
	URL      string
	// Closing ends the streams; a test may close it once, by Close.
	Closing chan struct{}
	// Cookie is sent with every request, Token with those that have one.
	Cookie, Token string

	mu     sync.Mutex
	core   api.Core
	notify func(context.Context) []alarm.Delivery
}

// Options change a world.
type Options struct {
	Settings map[string]string
	Change   func(*config.Flags)
	// Heartbeat of streams; 50 milliseconds if zero.
	Heartbeat time.Duration
	// Notify is what tells those who are told of alarms; nil tells nobody.
	Notify func(context.Context) []alarm.Delivery
}

// New makes a world of one SQLite database, named bot, with one row in a table.
func New(t *testing.T, o Options) *World {
	t.Helper()
	dir := t.TempDir()
	w := &World{T: t, Dir: dir, Database: filepath.Join(dir, "bot.db"), Closing: make(chan struct{}), notify: o.Notify}
	if w.notify == nil {
		w.notify = func(context.Context) []alarm.Delivery { return nil }
	}
	sourcetest.SQLite(t, w.Database, "PRAGMA journal_mode=WAL; CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT); INSERT INTO note(text) VALUES('first');")
	s, err := config.AdHoc(holdfast.KindSQLite, "sqlite", "bot="+w.Database)
	if err != nil {
		t.Fatal(err)
	}
	flags := config.Flags{NoFile: true, Repository: filepath.Join(dir, "backups"), Sources: []config.Source{s}, Settings: map[string]config.FlagValue{}}
	all := map[string]string{"state": filepath.Join(dir, "state")}
	maps.Copy(all, o.Settings)
	for name, value := range all {
		flags.Settings[name] = config.FlagValue{Flag: name, Value: value}
	}
	if o.Change != nil {
		o.Change(&flags)
	}
	if w.Config, err = config.Load(flags, nil); err != nil {
		t.Fatal(err)
	}
	if w.Access, err = access.Open(access.Options{Dir: filepath.Join(dir, "state"), Config: w.Config}); err != nil {
		t.Fatal(err)
	}
	w.Start()
	if o.Heartbeat == 0 {
		o.Heartbeat = 50 * time.Millisecond
	}
	server := httptest.NewServer(api.New(api.Options{
		Core: w.Core, Access: w.Access, Version: "1.2.3", Heartbeat: o.Heartbeat, Closing: w.Closing,
		Pages: web.New(site.Options{Core: w.Core, Access: w.Access, Version: "1.2.3", Heartbeat: o.Heartbeat, Closing: w.Closing}),
	}))
	t.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

// Core is that of the daemon which runs now.
func (w *World) Core() api.Core {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.core
}

// Start starts a daemon in the place of the one that runs, as after a kill: the jobs of
// that one are left as they are on the disk, and settled.
func (w *World) Start() {
	w.T.Helper()
	k, err := keeper.New(keeper.Options{Config: w.Config, Daemon: true})
	if err != nil {
		w.T.Fatal(err)
	}
	jobs, err := job.Open(job.Options{Dir: filepath.Join(w.Dir, "state", "jobs")})
	if err != nil {
		w.T.Fatal(err)
	}
	w.T.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		jobs.Close(ctx)
	})
	book := report.NewBook(func(ctx context.Context) ([]repo.Info, error) {
		r, err := k.Repository(ctx)
		if err != nil {
			return nil, err
		}
		return r.List(ctx)
	}, report.BookOptions{})
	ops, err := operation.New(operation.Options{Keeper: k, Config: w.Config, Book: book, Jobs: jobs})
	if err != nil {
		w.T.Fatal(err)
	}
	if err := jobs.Settle(w.T.Context(), ops.Settle); err != nil {
		w.T.Fatal(err)
	}
	c := api.Core{
		Config: w.Config, Keeper: k, Book: book, Jobs: jobs, Operations: ops,
		Status: func(ctx context.Context) (report.Status, error) {
			r, broken := k.Repository(ctx)
			e, err := wire.Engine(w.Config, wire.Options{Repository: r, Unusable: broken})
			if err != nil {
				return report.Status{}, err
			}
			return report.Look(ctx, report.LookOptions{Config: w.Config, Engine: e, Repository: r, Err: broken, Counts: true})
		},
		Alarms:  func() []alarm.Alarm { return nil },
		Tasks:   func() []holdfast.TaskStanding { return []holdfast.TaskStanding{k.Task()} },
		Notify:  w.notify,
		History: func(int) history.Log { return history.Log{} },
	}
	c.Glance = c.Status
	w.mu.Lock()
	defer w.mu.Unlock()
	w.core = c
}

// A Reply is one response, read to its end.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// Request makes a request of a reader; headers are pairs of name and value.
func (w *World) Request(ctx context.Context, method, path string, form url.Values, headers ...string) *http.Request {
	w.T.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, w.URL+path, body)
	if err != nil {
		w.T.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if w.Cookie != "" {
		r.Header.Set("Cookie", w.Cookie)
	}
	if w.Token != "" {
		r.Header.Set("Authorization", "Bearer "+w.Token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// Do sends a request, and follows nothing.
func (w *World) Do(r *http.Request) Reply {
	w.T.Helper()
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		w.T.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return Reply{res.StatusCode, res.Header, string(data)}
}

// Get asks for a page.
func (w *World) Get(path string, headers ...string) Reply {
	w.T.Helper()
	return w.Do(w.Request(w.T.Context(), http.MethodGet, path, nil, headers...))
}

// Post sends a form.
func (w *World) Post(path string, form url.Values, headers ...string) Reply {
	w.T.Helper()
	if form == nil {
		form = url.Values{}
	}
	return w.Do(w.Request(w.T.Context(), http.MethodPost, path, form, headers...))
}

// Ended waits for a job.
func (w *World) Ended(j job.Job, err error) job.Job {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
	j, err = w.Core().Jobs.Wait(w.T.Context(), j.ID)
	if err != nil && !errors.Is(err, context.Canceled) {
		w.T.Fatal(err)
	}
	return j
}

// Backup makes a backup of a name, and everything that follows it.
func (w *World) Backup(name string) job.Job {
	w.T.Helper()
	j := w.Ended(w.Core().Operations.Backup(w.T.Context(), "tester", "", operation.BackupRequest{Name: name}))
	if j.State != job.Succeeded {
		w.T.Fatalf("the backup %s: %+v", name, j)
	}
	return j
}

// Write adds a row to the database.
func (w *World) Write(text string) {
	w.T.Helper()
	sourcetest.SQLite(w.T, w.Database, "INSERT INTO note(text) VALUES('"+text+"');")
}
