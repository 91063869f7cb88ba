// Package site is what every page stands on: routes with scopes, the visit of a
// reader (language, zone, theme, caller), notices, redirects, streams, and failures as
// pages.
//
// Start from [Site], which [Site.Get] and [Site.Post] give pages to, and [Visit], by
// which a page answers. A page is a [Handler]: it builds its model from
// [Visit.Core] and calls [Visit.Render]; an error that it gives becomes a page
// of its own with the words, the object, the hint and the status that belong to it.
//
// What it promises: every page but the public ones asks for a scope; every answer has a
// policy by which a browser runs no script and loads nothing that is not of this program;
// a page comes whole, or as a failure; what a reader typed is never in a cookie.
//
// It has no logic of its own about backups: packages report, operation and job have.
package site

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/web/assets"
)

// Options are what the pages work on.
type Options struct {
	Core    func() api.Core // that of the present configuration, asked anew by every visit
	Access  *access.Access
	Version string
	Logger  *slog.Logger
	Now     func() time.Time
	// Heartbeat is the pause after which a stream shows that it lives; Closing ends
	// the streams.
	Heartbeat time.Duration
	Closing   <-chan struct{}
	// Answer is how long a page may take to find out what it shows, such as from a
	// bucket that does not answer; zero is a minute. Streams take as long as they take.
	Answer time.Duration
}

const (
	defaultHeartbeat = 15 * time.Second
	defaultAnswer    = time.Minute
)

// A Site is the pages.
type Site struct {
	Options
	mux     *http.ServeMux
	outer   http.Handler    // the mux behind what every answer has
	streams map[string]bool // patterns of what takes as long as it takes
	routes  []string        // all patterns, in the order in which they were added
	turns   chan struct{}   // of pages that grow
}

// New makes a site without pages.
func New(o Options) *Site {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = defaultHeartbeat
	}
	if o.Answer <= 0 {
		o.Answer = defaultAnswer
	}
	s := &Site{Options: o, mux: http.NewServeMux(), streams: map[string]bool{}, turns: make(chan struct{}, mostFinding)}
	s.outer = Protected(s.compressed(http.HandlerFunc(s.serve)))
	s.Handle("GET "+assets.Root, assets.Handler())
	s.Public("POST /preferences", setPreferences)
	s.Get("/strip", []access.Scope{access.ScopeRead}, showStrip)
	return s
}

// A Handler answers one visit.
type Handler func(*Visit) error

// Get adds a page; whoever has none of the scopes is sent to the login.
func (s *Site) Get(pattern string, scopes []access.Scope, h Handler) {
	s.add("GET "+pattern, s.allowed(scopes, h))
}

// Post adds an action.
func (s *Site) Post(pattern string, scopes []access.Scope, h Handler) {
	s.add("POST "+pattern, s.allowed(scopes, h))
}

// Stream adds a stream of events, which is neither packed nor ended after a while; its
// handler answers by [Visit.Stream].
func (s *Site) Stream(pattern string, scopes []access.Scope, h Handler) {
	s.streams["GET "+pattern] = true
	s.Get(pattern, scopes, h)
}

// isStream tells whether a request is for a stream.
func (s *Site) isStream(r *http.Request) bool {
	_, pattern := s.mux.Handler(r)
	return s.streams[pattern]
}

// Public adds what everybody may ask for, such as the login; pattern begins with the
// method.
func (s *Site) Public(pattern string, h Handler) { s.add(pattern, h) }

// Handle adds what is no page: files, streams of others.
func (s *Site) Handle(pattern string, h http.Handler) {
	s.routes = append(s.routes, pattern)
	s.mux.Handle(pattern, h)
}

// Routes lists the patterns of everything that is answered.
func (s *Site) Routes() []string { return slices.Clone(s.routes) }

// allowed looks at the scopes first.
func (s *Site) allowed(scopes []access.Scope, h Handler) Handler {
	return func(v *Visit) error {
		if err := s.Access.Allow(v.Context(), scopes...); err != nil {
			return err
		}
		return h(v)
	}
}

func (s *Site) add(pattern string, h Handler) {
	s.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		access.Note(r.Context(), access.Facts{Route: pattern})
		if !s.streams[pattern] {
			ctx, done := context.WithTimeout(r.Context(), s.Answer)
			defer done()
			r = r.WithContext(ctx)
		}
		v := s.visit(w, r)
		if err := h(v); err != nil {
			v.fail(err)
		}
	}))
}

// visit begins a visit. It is an operation with an id of its own, which a page of
// failure shows and the log has.
func (s *Site) visit(w http.ResponseWriter, r *http.Request) *Visit {
	id := rand.Text()[:8]
	access.Note(r.Context(), access.Facts{Operation: id})
	r = r.WithContext(holdfast.WithOperation(r.Context(), id))
	return &Visit{W: w, R: r, Site: s, Core: s.Core(), L: language(r)}
}

// serve answers with a page, or tells that there is none.
func (s *Site) serve(w http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(r); pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	// The mux knows whether the path has other methods.
	said := &statusOnly{header: http.Header{}}
	s.mux.ServeHTTP(said, r)
	if said.status >= 300 && said.status < 400 { // a path that is written otherwise
		s.mux.ServeHTTP(w, r)
		return
	}
	v := s.visit(w, r)
	if allow := said.header.Get("Allow"); said.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", allow)
		v.failWith(v.noMethod())
		return
	}
	v.failWith(v.noPage())
}

// ServeHTTP answers.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.outer.ServeHTTP(w, r) }

// statusOnly takes a response of which only the status and the header matter.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
