package s3test

import (
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// A Rule says what happens to which requests.
type Rule struct {
	When  func(r *http.Request) bool
	Fault Fault
	Times int // how often; 0 is always
}

// A Proxy stands between clients and a server and does to requests what its
// rules say, the first that matches.
type Proxy struct {
	upstream string
	server   *httptest.Server
	client   http.Transport

	mu    sync.Mutex
	rules []*Rule
	met   map[string]int // by fault, how often
	lists map[string]listing
	seen  []Seen
}

// Seen is a request that the proxy met, and what became of it.
type Seen struct {
	Method, Path, Query, Range string
	Status                     int   // of the answer that the client got; 0 if it got none
	Bytes                      int64 // of the body of the answer
}

// NewProxy starts a proxy before a server. It ends with the test.
func NewProxy(t *testing.T, s *Server) *Proxy {
	t.Helper()
	p := &Proxy{upstream: s.Addr(), met: map[string]int{}, lists: map[string]listing{}}
	p.client.MaxIdleConnsPerHost = 16
	p.client.DisableCompression = true
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
		p.client.CloseIdleConnections()
	})
	return p
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.server.Listener.Addr().String() }

// Inject adds rules behind those that are there.
func (p *Proxy) Inject(rules ...Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range rules {
		p.rules = append(p.rules, &r)
	}
}

// Heal removes all rules.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
	clear(p.lists)
}

// Random lets a share of all requests meet one of the faults that any client
// must survive.
func (p *Proxy) Random(seed uint64, share float64) {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 0))
	faults := Survivable()
	names := slices.Sorted(maps.Keys(faults))
	p.Inject(Rule{
		When: func(*http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			return r.Float64() < share
		},
		Fault: func(x *Exchange) {
			mu.Lock()
			name := names[r.IntN(len(names))]
			mu.Unlock()
			p.count(name)
			faults[name](x)
		},
	})
}

// Met tells how often each of the random faults was met.
func (p *Proxy) Met() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.met)
}

// Seen tells of all requests since the last Forget.
func (p *Proxy) Seen() []Seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// Forget forgets the requests that were seen.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = nil
}

func (p *Proxy) count(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.met[name]++
}

// fault finds what happens to a request; nil if nothing does.
func (p *Proxy) fault(r *http.Request) Fault {
	p.mu.Lock()
	rules := slices.Clone(p.rules)
	p.mu.Unlock()
	for _, rule := range rules {
		if rule.When != nil && !rule.When(r) {
			continue
		}
		p.mu.Lock()
		spent := rule.Times < 0
		if rule.Times > 0 {
			if rule.Times--; rule.Times == 0 {
				rule.Times = -1
			}
		}
		p.mu.Unlock()
		if !spent {
			return rule.Fault
		}
	}
	return nil
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	answer := &counted{ResponseWriter: w}
	x := &Exchange{p: p, w: answer, Request: r}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.seen = append(p.seen, Seen{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Range"), answer.status, answer.bytes})
	}()
	if fault := p.fault(r); fault != nil {
		fault(x)
		return
	}
	x.Pass()
}

// counted notes what a client gets.
type counted struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// Unwrap lets the connection be cut.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// An Exchange is one request on its way to the server and back.
type Exchange struct {
	p       *Proxy
	w       http.ResponseWriter
	started bool // the client has the head of an answer
	Request *http.Request
}

// Ask sends the request to the server, with a body in place of its own if one
// is given. Its signature covers the name under which the client knows us.
func (x *Exchange) Ask(body io.Reader) (*http.Response, error) {
	out := x.Request.Clone(x.Request.Context())
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host = "http", x.p.upstream
	if body != nil {
		out.Body = io.NopCloser(body)
	}
	if out.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return x.p.client.RoundTrip(out)
}

// Pass sends the request and the answer on as they are.
func (x *Exchange) Pass() {
	answer, err := x.Ask(nil)
	if err != nil {
		x.Cut()
		return
	}
	x.Answer(answer, answer.Body)
}

// Answer gives the client an answer with this body.
func (x *Exchange) Answer(answer *http.Response, body io.Reader) {
	defer answer.Body.Close()
	maps.Copy(x.w.Header(), answer.Header)
	x.w.WriteHeader(answer.StatusCode)
	x.started = true
	if _, err := io.Copy(x.w, body); err != nil {
		x.Cut()
	}
}

// Cut ends the connection to the client without another word.
func (x *Exchange) Cut() {
	if x.started {
		_ = http.NewResponseController(x.w).Flush() // it may have what came
	}
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // what net/http offers for just this
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
