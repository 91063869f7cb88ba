// Package access decides who may ask the daemon for what, before any verb is
// called: it is the door of every surface that listens.
//
// Start from [Open], which gives an [Access] over the state directory, and
// [Access.Handler], which puts the door around a handler: which host names are
// answered, which web pages may ask, who the caller is ([CallerOf]), how often
// and how much he may send, and what is written down ([Audit]). Behind it each
// operation asks [Access.Allow] for the scope that it needs. [Access.MayListen]
// judges an address before the daemon listens on it, and [Access.TLS] gives the
// certificate.
//
// What it promises: without a token nothing is answered beyond loopback; a token
// is kept as a digest only, and no secret reaches the audit, the log or an error;
// whatever cannot be read or understood lets nobody in. A token that is revoked
// by another process is refused at the next request.
//
// What it leaves to others: time limits of connections, which belong to the
// server, and what an operation may touch, which belongs to the operation. On
// loopback without any token everybody who can reach the port is the owner;
// docs/security.md tells what that means.
package access

import (
	"log/slog"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast/internal/config"
)

// The files in the state directory.
const (
	tokensFile = "tokens.json"
	auditFile  = "audit.log"

	passwordName = "password.json"
	sessionsName = "sessions.json"
)

// How long sessions last where nothing is configured.
const (
	defaultIdle     = 12 * time.Hour
	defaultLifetime = 7 * 24 * time.Hour
)

// stateFolder is the state directory of a repository in a directory, unless
// something speaks against it (wire.StateDir).
const stateFolder = ".holdfast"

// Options are what an Access needs.
type Options struct {
	Dir    string         // the state directory
	Config *config.Config // who may listen and be asked how; nil for the command line
	Now    func() time.Time
	Logger *slog.Logger
	// Refuse, if it is not nil, may answer a reader's request for a page that is turned
	// away; it says whether it has. Other requests get a Problem.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, err error) bool
}

// Access is the door. It is safe for use by several goroutines, and several
// processes may have one over the same directory.
type Access struct {
	tokens    *Tokens
	passwords *passwords
	sessions  *sessions
	attempts  *attempts
	audit     *Audit
	settings  atomic.Pointer[settings]
	certs     *certificates
	requests  *buckets     // of callers, and of addresses without one
	failures  *buckets     // of addresses whose tokens are refused
	atWork    crowd        // the requests that are being answered
	toldAt    atomic.Int64 // the minute in which the log told that the tokens cannot be read
	now       func() time.Time
	log       *slog.Logger
	origins   *http.CrossOriginProtection
	refuse    atomic.Pointer[func(w http.ResponseWriter, r *http.Request, status int, err error) bool]
}

// settings are what a configuration says about the door.
type settings struct {
	hosts          []string // canonical names
	own            string   // that of the address it listens on
	loopback       bool     // it listens on loopback only
	required       bool     // a token is always needed
	perMinute      int64
	idle, lifetime time.Duration // of a session
	cert, key      string
}

// Open makes the door over a state directory, which need not exist yet. Tokens
// that cannot be read are no error here: nobody gets in, and Problems says why.
func Open(o Options) (*Access, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	audit := newAudit(filepath.Join(o.Dir, auditFile), o.Now, o.Logger)
	a := &Access{
		audit: audit, now: o.Now, log: o.Logger,
		tokens:   &Tokens{file: filepath.Join(o.Dir, tokensFile), now: o.Now, audit: audit},
		certs:    &certificates{now: o.Now, log: o.Logger},
		requests: newBuckets(o.Now),
		failures: newBuckets(o.Now),
		atWork:   crowd{of: map[string]int{}},
		origins:  http.NewCrossOriginProtection(),
	}
	a.failures.set(failuresPerMinute)
	a.attempts = newAttempts(o.Now)
	a.sessions = newSessions(o.Dir, o.Now, o.Logger, a.limits)
	a.passwords = newPasswords(o.Dir, o.Now, a.sessions.salt)
	a.RefuseBy(o.Refuse)
	a.Reconfigure(o.Config)
	return a, nil
}

// Reconfigure makes the door that of another configuration; nil is one without a
// listener.
func (a *Access) Reconfigure(c *config.Config) {
	if c == nil {
		c = &config.Config{}
	}
	s := &settings{
		loopback:  true,
		required:  c.Serve.Auth == config.AuthRequired,
		perMinute: c.Serve.RequestsPerMinute,
		cert:      c.Serve.TLSCert, key: c.Serve.TLSKey,
	}
	if s.idle, s.lifetime = c.Serve.SessionIdle, c.Serve.SessionLifetime; s.idle <= 0 {
		s.idle = defaultIdle
	}
	if s.lifetime <= 0 {
		s.lifetime = defaultLifetime
	}
	if s.perMinute <= 0 {
		s.perMinute = defaultPerMinute
	}
	for _, name := range c.Serve.Hosts {
		s.hosts = append(s.hosts, hostName(name))
	}
	if c.Serve.Listen != "" {
		s.loopback = isLoopback(c.Serve.Listen)
		// "Everywhere" is an address to listen on, and none to ask under.
		if host := hostName(c.Serve.Listen); host != "" && host != "0.0.0.0" && host != "::" {
			s.hosts, s.own = append(s.hosts, host), host
		}
	}
	former := ""
	if c.Repository != "" && !config.IsURL(c.Repository) {
		former = filepath.Join(c.Repository, stateFolder)
	}
	a.tokens.lookAlso(former)
	a.passwords.lookAlso(former)
	a.requests.set(s.perMinute)
	a.passwords.configure(c.Serve.Password)
	a.settings.Store(s)
}

// limits are how long a session lasts without a click, and at most.
func (a *Access) limits() (idle, lifetime time.Duration) {
	s := a.settings.Load()
	return s.idle, s.lifetime
}

// RefuseBy says who answers a reader whose request for a page is turned away
// (Options.Refuse): the pages are made over the door.
func (a *Access) RefuseBy(refuse func(w http.ResponseWriter, r *http.Request, status int, err error) bool) {
	a.refuse.Store(&refuse)
}

// Tokens are those of the state directory.
func (a *Access) Tokens() *Tokens { return a.tokens }

// Audit is the record of changes and refusals.
func (a *Access) Audit() *Audit { return a.audit }
