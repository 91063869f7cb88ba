// Package api is a client of a Chroma server: of its API v2, and of v1 as the servers
// from 0.4 to 0.6 speak it. Which one a server speaks is found out by [Client.Hello].
//
// Start from [New]. Tenants, databases and collections are in catalog.go, records are
// read by [Client.IDs] and [Client.Get] and written by [Client.Add], [Client.Upsert],
// [Client.Update] and [Client.Delete].
//
// What it promises:
//
//   - It is gentle: so many requests a second and side by side and no more; a server
//     that asks for a pause gets it, by all requests.
//   - It is patient: what failed in passing is tried again, what writes only where
//     that can do no harm. Where the answer to a request was lost that must not be
//     repeated, it looks what became of it.
//   - Nothing changes on the way: float32 bit by bit, 2 and 2.0 apart, any text as an id.
//   - Memory is bounded by what is asked for: answers are decoded as they come, and
//     requests are cut by bytes and by count.
//   - One bad record does not lose its neighbours: see [BadRecord].
//   - Credentials are in no error, log or [Client.Location].
//
// What records mean, and in which order they are kept, is left to the caller.
package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Options say how a server is talked to. Only URL is needed.
type Options struct {
	// URL is where the server is: http(s)://host:port[/prefix]. The user and password
	// of "user:password@" become Basic authentication and are shown nowhere.
	URL string
	// Headers are sent with each request. They are secret.
	Headers http.Header
	// Rate is how many requests a second are made at most; 0 is 50.
	Rate float64
	// Parallel is how many requests are under way at once at most; 0 is 4.
	Parallel int
	// Patience is how long one request is tried again; 0 is two minutes, and what
	// is negative never tries again.
	Patience time.Duration
	// Stall is how long a server may say nothing until a try is given up; 0 is two
	// minutes, since it may have to load a large index first.
	Stall time.Duration
	// Logger is told what is tried again; nil is nobody.
	Logger *slog.Logger
	// Now and Sleep are the clock; nil is the real one.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// The defaults of Options.
const (
	defaultRate     = 50
	defaultParallel = 4
	defaultPatience = 2 * time.Minute
	defaultStall    = 2 * time.Minute
)

// A Client talks to one server. Its methods may be used by several goroutines.
type Client struct {
	root     string // without credentials, without a slash at its end
	headers  http.Header
	names    []string // of the headers that the user gave
	secrets  []string // what must not be quoted from an answer
	http     *http.Client
	pace     *pace
	patience time.Duration
	stall    time.Duration
	log      *slog.Logger
	now      func() time.Time
	sleep    func(ctx context.Context, d time.Duration) error
	hello    greeting
}

// New makes a client. It asks nothing yet.
func New(o Options) (*Client, error) {
	address, err := url.Parse(o.URL)
	if err != nil {
		// The error quotes the URL, and with it a password.
		return nil, usage("the URL of the Chroma server cannot be read", "it is written http://HOST:PORT or https://HOST")
	}
	if address.Scheme != "http" && address.Scheme != "https" || address.Host == "" {
		return nil, usage("the URL of a Chroma server begins with http:// or https:// and names a host", "for example http://127.0.0.1:8000")
	}
	if address.RawQuery != "" || address.Fragment != "" {
		return nil, usage("the URL of a Chroma server has no ? and no #", "tenant, databases and headers are settings of their own")
	}
	if math.IsNaN(o.Rate) || o.Rate < 0 || o.Parallel < 0 {
		return nil, usage("the rate of requests and their number side by side are not negative", "")
	}
	c := &Client{
		headers:  o.Headers.Clone(),
		patience: cmp.Or(o.Patience, defaultPatience),
		stall:    cmp.Or(o.Stall, defaultStall),
		log:      o.Logger,
		now:      o.Now,
		sleep:    o.Sleep,
	}
	if c.headers == nil {
		c.headers = http.Header{}
	}
	if user := address.User; user != nil {
		password, _ := user.Password()
		pair := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		c.headers.Set("Authorization", "Basic "+pair)
		c.secrets = append(c.secrets, password, pair)
		address.User = nil
	}
	c.root = strings.TrimRight(address.String(), "/")
	for name, values := range c.headers {
		c.names = append(c.names, name)
		for _, v := range values {
			_, bare, _ := strings.Cut(v, " ") // the token of "Bearer TOKEN" alone, too
			c.secrets = append(c.secrets, v, bare)
		}
	}
	slices.Sort(c.names)
	c.secrets = slices.DeleteFunc(c.secrets, func(s string) bool { return s == "" })
	slices.SortFunc(c.secrets, func(a, b string) int { return len(b) - len(a) }) // "Bearer TOKEN" before "TOKEN"
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.sleep == nil {
		c.sleep = sleep
	}
	c.pace = newPace(cmp.Or(o.Rate, defaultRate), cmp.Or(o.Parallel, defaultParallel), c.now, c.sleep)
	c.hello.turn = make(chan struct{}, 1)
	c.http = newHTTP(cmp.Or(o.Parallel, defaultParallel))
	return c, nil
}

// newHTTP makes the transport: proxies of the environment (which are never used for
// this machine), TLS as usual, redirects shown and not followed, since they would
// carry the headers elsewhere.
func newHTTP(parallel int) *http.Client {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: parallel,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: 10 * time.Second,
	}
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Location is where the server is, without credentials.
func (c *Client) Location() string { return c.root }

// Close lets go of connections that are not in use. The client may be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// usage makes the error of a setting that cannot be.
func usage(text, hint string) error {
	return &holdfast.Error{Op: "talk to a Chroma server", Err: holdfast.Kindf(holdfast.ErrUsage, "%s", text), Hint: hint}
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
