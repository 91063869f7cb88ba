// Package api is the HTTP API of the daemon, /api/v1: everything that the engine does,
// for programs.
//
// Start from [New], which gives the handler of the whole port: the API with its
// OpenAPI document, /healthz, /readyz and /metrics, behind the door of package access.
// docs/api.md is the manual; the document at /api/v1/openapi.json is the reference, and
// every response of the tests is checked against it.
//
// What it promises: a request is looked at before anything is done (who asks, whether
// the path is plain, whether names are names, whether the body fits its schema), so that
// nothing unparsed reaches a file system; whatever fails is a [Problem] with the word of
// the exit codes; work that takes long is a job and goes on without the client; an
// archive that is damaged half-way never looks complete.
//
// It has no logic of its own: package operation does the work, package job keeps it,
// package report shapes what is shown.
//
// The ideas lie in files of their own: route.go (an operation, its scopes and its place
// in the document), guard.go (paths), problem.go (failures), json.go (bodies), etag.go,
// names.go (what a path may name); then the operations: backups.go and show.go (reading),
// contents.go, search.go and diff.go (looking inside, by scan.go as a stream), make.go (the call before an upload), verbs.go (work on backups), upkeep.go (work on the
// repository), jobs.go and follow.go (jobs and their events), download.go, state.go
// (status, alarms, tasks, settings, activity), hooks.go, telegram.go and health.go.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/history"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/shelf"
)

// Root is where the API begins.
const Root = "/api/v1"

// Core is what the API works on, of one configuration.
type Core struct {
	Config     *config.Config
	Keeper     *keeper.Keeper
	Book       *report.Book
	Jobs       *job.Runner
	Operations *operation.Operations
	// Status judges how safe the data is, and counts what the sources hold.
	Status func(context.Context) (report.Status, error)
	// Glance is Status for pages, which rather tell of a moment ago than let people wait:
	// of the backups it knows what [report.Book.Recent] gives.
	Glance func(context.Context) (report.Status, error)
	// Ready tells why requests should go elsewhere, Healthy why the process should
	// be started anew; nil, or a nil error: all is well.
	Ready, Healthy func() error
	Alarms         func() []alarm.Alarm
	Tasks          func() []holdfast.TaskStanding
	// Shelf keeps the backups open that somebody looks into; nil: nothing is kept open.
	Shelf *shelf.Shelf[*engine.Look]
	// Notify sends a test to everybody who is told of alarms.
	Notify func(context.Context) []alarm.Delivery
	// History is what happened within the last days; nil: nobody keeps a record.
	History func(days int) history.Log
	// Telegram takes an update of the bot, and tells whether it was for the panel; nil: no
	// panel takes any.
	Telegram func(ctx context.Context, update []byte) bool
}

// Options are what the API is made of.
type Options struct {
	// Core gives that of the present configuration; it is asked anew by every
	// request.
	Core    func() Core
	Access  *access.Access
	Version string
	Logger  *slog.Logger // nil discards
	Metrics http.Handler // nil: there are none
	// Pages answers every path that is none of the API's, for people; nil: nobody does.
	Pages http.Handler
	Now   func() time.Time
	// Heartbeat is the pause after which a stream of events shows that it lives;
	// zero is 15 seconds.
	Heartbeat time.Duration
	// Patience is how long a client may take to send a body; zero is 10 seconds.
	Patience time.Duration
	// Answer is how long what is only looked up may take, such as from a bucket that does
	// not answer; zero is a minute. Streams and jobs take as long as they take.
	Answer time.Duration
	// Closing ends the streams, which would otherwise keep the server from being
	// shut down; nil never does.
	Closing <-chan struct{}
}

const (
	defaultHeartbeat = 15 * time.Second
	defaultPatience  = 10 * time.Second
	defaultAnswer    = time.Minute
)

// server answers the requests.
type server struct {
	o    Options
	log  *slog.Logger
	huma huma.API
	// scans bounds the searches and comparisons that are under way.
	scans chan struct{}
}

// New makes the handler of the daemon's port.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = defaultHeartbeat
	}
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.Answer <= 0 {
		o.Answer = defaultAnswer
	}
	s := &server{o: o, log: o.Logger, scans: make(chan struct{}, maxScans)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	s.huma = humago.New(mux, settings(o.Version))
	s.addState()
	s.addHooks()
	s.addAutoBackup()
	s.addHistory()
	s.addTelegram()
	s.addBackups()
	s.addContents()
	s.addSearch()
	s.addDiff()
	s.addVerbs()
	s.addUpkeep()
	s.addJobs()
	s.addHealth(mux)
	s.addDocument(mux)
	return o.Access.Handler(guarded(mux, o.Pages))
}

// core is that of the present configuration.
func (s *server) core() Core { return s.o.Core() }
