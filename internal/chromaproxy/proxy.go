// Package chromaproxy stands in front of a Chroma server and has a backup made
// before writes begin and before anything is deleted, so that an application
// needs no change to be protected from itself.
//
// Start from [New], which gives a [Proxy], an http.Handler. [Classify] tells
// reads, writes and deletions apart; a gate lets reads pass at once, and writes
// when what was there before them has been saved.
//
// What it promises: before the first write of a burst, and before every deletion
// of a collection or a database, a backup has been made that began when nothing
// was being written through the proxy; where that fails, the write is refused, or
// passes with a loud line in the log, as configured. Everything else goes
// through as it is, streamed in both directions, under the host name that the
// client sent; upgrades to other protocols do not, since nothing could be seen there.
//
// What it leaves to others: who may ask (Chroma has no users, and this proxy
// adds none), the time limits of connections, and writes that go around it.
package chromaproxy

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime/debug"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// The values of Options.OnFailure.
const (
	Refuse = "refuse"
	Pass   = "pass"
)

// The defaults of Options.
const (
	DefaultBurst   = 5 * time.Minute
	DefaultMaxWait = 2 * time.Minute
)

// smallBody is the length of a body that is taken in before its write waits.
const smallBody = 64 << 10

// retryAfter is when a refused write may be tried again, in seconds.
const retryAfter = "15"

// Options say where the server is and how backups are made.
type Options struct {
	Upstream string // http://host:port of the Chroma server
	// Burst is the pause of the writers that ends a burst, measured from the
	// end of the last write; zero is DefaultBurst.
	Burst time.Duration
	// MaxWait is how long a write waits for its backup; zero is
	// DefaultMaxWait. The backup itself goes on: it may serve the next try.
	MaxWait   time.Duration
	OnFailure string // Refuse (also if empty) or Pass
	// Backup makes one; it returns when the backup is committed. Its context
	// ends when the proxy is closed. It is never called twice at a time.
	Backup func(ctx context.Context, reason string) error
	Now    func() time.Time
	Logger *slog.Logger
}

// Proxy is the handler. Close ends it.
type Proxy struct {
	upstream *url.URL
	pass     bool
	forward  *httputil.ReverseProxy
	gate     *gate
	cancel   context.CancelFunc
	book     book
	log      *slog.Logger
}

// New makes a proxy.
func New(o Options) (*Proxy, error) {
	u, err := url.Parse(o.Upstream)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return nil, &holdfast.Error{Op: "Chroma proxy", Err: holdfast.Kindf(holdfast.ErrUsage, "the upstream is not a URL such as http://127.0.0.1:8000")}
	}
	if o.OnFailure != "" && o.OnFailure != Refuse && o.OnFailure != Pass {
		return nil, &holdfast.Error{Op: "Chroma proxy", Err: holdfast.Kindf(holdfast.ErrUsage, "%q is neither %s nor %s", o.OnFailure, Refuse, Pass)}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{
		upstream: &url.URL{Scheme: u.Scheme, Host: u.Host}, pass: o.OnFailure == Pass,
		cancel: cancel, log: o.Logger.With("upstream", u.Host), book: book{now: o.Now},
	}
	p.gate = &gate{
		burst: cmp.Or(o.Burst, DefaultBurst), maxWait: cmp.Or(o.MaxWait, DefaultMaxWait), pass: p.pass, now: o.Now,
		backup: func(reason string) error { return p.save(ctx, reason, o.Backup) },
	}
	p.forward = &httputil.ReverseProxy{
		Rewrite:       p.rewrite,
		Transport:     transport(),
		FlushInterval: -1,
		BufferPool:    &buffers{},
		ErrorHandler:  p.unreachable,
		ErrorLog:      slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// Close cancels a backup that runs and refuses the writes that wait for it, and
// those that still come. Reads and writes in flight go on. A server that is being
// shut down need not wait for it longer.
func (p *Proxy) Close() {
	p.cancel()
	p.gate.close()
	p.forward.Transport.(*http.Transport).CloseIdleConnections()
}

// transport speaks with the server as the client does: no proxy of the
// environment between, no compression that nobody asked for.
func transport() *http.Transport {
	const idle = 256
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		DisableCompression:    true,
		MaxIdleConns:          idle,
		MaxIdleConnsPerHost:   idle,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: 5 * time.Second,
	}
}

// buffers are those that answers are copied through.
type buffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

// rewrite sends a request to the server with nothing changed but what belongs to
// the connection.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host = p.upstream.Scheme, p.upstream.Host
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	r.Out.URL.ForceQuery = r.In.URL.ForceQuery
	r.Out.Host = r.In.Host
	r.Out.Trailer = r.In.Trailer // the values come at the end of the body
	// Behind another protocol, such as HTTP/2 after an upgrade, requests would pass
	// that nobody has looked at. Chroma has none, and may ignore the wish.
	r.Out.Header.Del("Connection")
	r.Out.Header.Del("Upgrade")
	r.Out.Header.Del("Http2-Settings")
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := r.In.Header[name]; ok {
			r.Out.Header[name] = values
		}
	}
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := Classify(r)
	p.book.count(kind)
	if kind == Read {
		p.forward.ServeHTTP(w, r)
		return
	}
	if !takeBody(r) {
		return // the client has left
	}
	v, err := p.gate.enter(r.Context(), kind)
	if err != nil {
		return // the client has left
	}
	if v.place == 0 {
		p.refuse(w, r, kind, v.failure)
		return
	}
	if v.failure != nil {
		p.book.passed.Add(1)
		p.log.Error("a "+kind.String()+" passes without a backup of what was before it", "method", r.Method, "path", r.URL.EscapedPath(), "error", v.failure)
	}
	seen := &sight{}
	// Also when the answer is cut, which ends in a panic of the forwarder.
	defer func() { p.gate.leave(kind, seen.sure && r.Context().Err() == nil) }()
	p.forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sightKey{}, seen)))
	seen.sure = !seen.lost
}

// takeBody takes a small body in before its write waits, as far as there is one:
// net/http sees that a client has left only when it has nothing more to read of
// it. Larger bodies are streamed, and those are sent when their turn has come or
// fail then.
func takeBody(r *http.Request) bool {
	if r.ContentLength <= 0 || r.ContentLength > smallBody || r.Header.Get("Expect") != "" {
		return true
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return true
}

// sight tells whether we saw the end of a write.
type sight struct {
	sure bool // the answer was forwarded
	lost bool // there was none
}

type sightKey struct{}

// save makes a backup; a panic in it is a failure.
func (p *Proxy) save(ctx context.Context, reason string, backup func(context.Context, string) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			p.log.Error("a backup ended in a panic", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = errors.New("it met a fault of holdfast; its log tells more")
		}
		p.book.backedUp(err)
	}()
	if err := backup(ctx, reason); err != nil {
		p.log.Error("the backup "+reason+" failed", "error", err)
		return err
	}
	return nil
}

// refuse answers a write whose backup failed.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, kind Kind, why error) {
	if errors.Is(why, errClosed) {
		w.Header().Set("Retry-After", retryAfter)
		fail(w, http.StatusServiceUnavailable, "holdfast is being shut down; this "+kind.String()+" was not sent, and nothing was changed")
		return
	}
	p.book.refused.Add(1)
	p.log.Error("a "+kind.String()+" was refused: there is no backup of what was before it", "method", r.Method, "path", r.URL.EscapedPath(), "error", why)
	w.Header().Set("Retry-After", retryAfter)
	fail(w, http.StatusServiceUnavailable, "holdfast refused this "+kind.String()+", and nothing was changed: the backup before it failed; its log tells why")
}

// unreachable answers when the server did not.
func (p *Proxy) unreachable(w http.ResponseWriter, r *http.Request, err error) {
	if seen, ok := r.Context().Value(sightKey{}).(*sight); ok {
		seen.lost = true
	}
	if r.Context().Err() != nil {
		return // the client has left
	}
	p.book.unanswered.Add(1)
	p.log.Warn("the Chroma server did not answer", "method", r.Method, "path", r.URL.EscapedPath(), "error", err)
	fail(w, http.StatusBadGateway, "the Chroma server behind holdfast did not answer")
}
