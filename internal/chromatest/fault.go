package chromatest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Fault is what goes wrong with some requests. Its zero value hits every request
// and does nothing.
type Fault struct {
	Method string // empty is any
	Path   string // how the path of the request ends; empty is any
	Skip   int    // so many requests of these pass unharmed
	Times  int    // so many after that are hit; 0 is all

	Delay time.Duration // before anything else
	Hang  bool          // nothing is said until the client has gone
	// MaxBody refuses requests with more bytes with status 413, and hits no other.
	MaxBody int
	// Status answers in place of the server, with Header and Body.
	Status int
	Header http.Header
	Body   string
	// Drop breaks the connection and passes nothing on; Lose passes the request on and
	// breaks the connection in place of the answer; CutAfter does so after so many
	// bytes of the answer.
	Drop, Lose bool
	CutAfter   int
}

// A FaultProxy stands before a server and lets things go wrong.
type FaultProxy struct {
	upstream string
	server   *httptest.Server
	client   *http.Client

	mu       sync.Mutex
	faults   []*fault
	name     string // a header without which requests are refused
	value    string
	requests []string
	widest   int // how many requests were under way at once
	now      int
}

type fault struct {
	Fault
	seen int
}

// NewFaultProxy starts a proxy before the server at the address. It is stopped at the
// end of the test.
func NewFaultProxy(t testing.TB, upstream string, faults ...Fault) *FaultProxy {
	t.Helper()
	p := &FaultProxy{upstream: upstream, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	p.Set(faults...)
	p.server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.server.CloseClientConnections() // one that hangs would be waited for
		p.server.Close()
		p.client.CloseIdleConnections()
	})
	return p
}

// URL is the address of the proxy.
func (p *FaultProxy) URL() string { return p.server.URL }

// Set replaces the faults. The first that fits a request hits it.
func (p *FaultProxy) Set(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
	for _, f := range faults {
		p.faults = append(p.faults, &fault{Fault: f})
	}
	p.requests, p.widest = nil, 0
}

// Require refuses requests with status 401 that do not have a header with this value.
func (p *FaultProxy) Require(name, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name, p.value = name, value
}

// Requests are the requests since the last Set, as "METHOD PATH".
func (p *FaultProxy) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Widest is how many requests were under way at once since the last Set.
func (p *FaultProxy) Widest() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.widest
}

// ServeHTTP implements http.Handler.
func (p *FaultProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	f, allowed := p.arrive(r, len(body))
	defer p.leave()
	if !allowed {
		answer(w, http.StatusUnauthorized, `{"error":"AuthError","message":"Forbidden"}`)
		return
	}
	if !wait(r, f.Delay) || f.Drop {
		panic(http.ErrAbortHandler)
	}
	switch {
	case f.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case f.MaxBody > 0:
		answer(w, http.StatusRequestEntityTooLarge, "<html><h1>413 Request Entity Too Large</h1></html>")
	case f.Status != 0:
		for name, values := range f.Header {
			w.Header()[name] = values
		}
		answer(w, f.Status, f.Body)
	default:
		p.pass(w, r, body, f)
	}
}

// arrive counts a request and finds the fault that hits it.
func (p *FaultProxy) arrive(r *http.Request, length int) (Fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now++
	p.widest = max(p.widest, p.now)
	p.requests = append(p.requests, r.Method+" "+r.URL.Path)
	if p.name != "" && r.Header.Get(p.name) != p.value {
		return Fault{}, false
	}
	for _, f := range p.faults {
		if f.Method != "" && f.Method != r.Method || !strings.HasSuffix(r.URL.Path, f.Path) || f.MaxBody > 0 && length <= f.MaxBody {
			continue
		}
		f.seen++
		if f.seen > f.Skip && (f.Times == 0 || f.seen <= f.Skip+f.Times) {
			return f.Fault, true
		}
	}
	return Fault{}, true
}

func (p *FaultProxy) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now--
}

// pass passes a request on, and the answer back as far as the fault lets it.
func (p *FaultProxy) pass(w http.ResponseWriter, r *http.Request, body []byte, f Fault) {
	resp, err := forward(p.client, r, p.upstream+r.URL.RequestURI(), body)
	if err != nil {
		answer(w, http.StatusBadGateway, "the server does not answer")
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || f.Lose {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	if f.CutAfter > 0 && f.CutAfter < len(text) {
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(text[:f.CutAfter]) // whether it arrives is not the point
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(text) // a client that has gone wants no answer
}

// forward sends a request to another address.
func forward(client *http.Client, r *http.Request, address string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	return client.Do(req)
}

// answer sends a short answer.
func answer(w http.ResponseWriter, status int, body string) {
	if w.Header().Get("Content-Type") == "" {
		kind := "application/json"
		if strings.HasPrefix(body, "<") {
			kind = "text/html"
		}
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a client that has gone wants no answer
}

// wait tells whether the client is still there after d.
func wait(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}
