// Package sinktest receives what a program tells others: an HTTP server that
// records requests and an SMTP server that records e-mails. Both can be slow,
// refuse and fail as told, listen on free ports of the loopback and end with the
// test.
package sinktest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// mostBody bounds what is recorded of a request.
const mostBody = 1 << 20

// A Request is one that was received.
type Request struct {
	Method string
	Path   string // with the query
	Header http.Header
	Body   []byte
	At     time.Time
}

// A Reply says how a request is answered. The zero value is 200 at once.
type Reply struct {
	Status   int
	Location string        // for redirects
	Body     string        // of the answer
	Delay    time.Duration // before it; ends with the client's patience
	Drop     bool          // close the connection without an answer
}

// HTTP records requests.
type HTTP struct {
	URL string

	mu       sync.Mutex
	requests []Request
	reply    func(n int, r Request) Reply
	arrived  chan struct{}
	stop     chan struct{}
}

// NewHTTP starts a sink that answers every request with 200.
func NewHTTP(t testing.TB) *HTTP {
	t.Helper()
	s := &HTTP{arrived: make(chan struct{}, 1), stop: make(chan struct{})}
	server := httptest.NewServer(s)
	s.URL = server.URL
	t.Cleanup(func() {
		close(s.stop)
		server.Close()
	})
	return s
}

// Answer makes the n-th request from now, beginning with 0, be answered as told.
func (s *HTTP) Answer(reply func(n int, r Request) Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := len(s.requests)
	s.reply = func(n int, r Request) Reply { return reply(n-from, r) }
}

// ServeHTTP records and answers.
func (s *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, mostBody))
	if err != nil {
		return // the client went away
	}
	got := Request{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body, At: time.Now()}
	s.mu.Lock()
	n := len(s.requests)
	s.requests = append(s.requests, got)
	var reply Reply
	if s.reply != nil {
		reply = s.reply(n, got)
	}
	s.mu.Unlock()
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	if reply.Delay > 0 {
		timer := time.NewTimer(reply.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		case <-s.stop:
		}
	}
	if reply.Drop {
		panic(http.ErrAbortHandler)
	}
	if reply.Location != "" {
		w.Header().Set("Location", reply.Location)
	}
	if reply.Status != 0 {
		w.WriteHeader(reply.Status)
	}
	// A client that has what it wants may be gone: nobody is to be told.
	_, _ = io.WriteString(w, reply.Body)
}

// Requests gives what was received, in the order of arrival.
func (s *HTTP) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Wait returns once so many requests were received, and fails the test that ends
// before.
func (s *HTTP) Wait(t testing.TB, n int) []Request {
	t.Helper()
	for {
		if got := s.Requests(); len(got) >= n {
			return got
		}
		select {
		case <-s.arrived:
		case <-t.Context().Done():
			t.Fatalf("the test ended before %d requests came", n)
		}
	}
}
