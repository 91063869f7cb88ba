package access

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// stream asks for something that does not end by itself, and tells when it has.
func (w *world) stream(r *http.Request) (begun <-chan struct{}, ended <-chan int) {
	in, out := make(chan struct{}), make(chan int, 1)
	h := w.access.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(in)
		<-r.Context().Done()
	}))
	go func() {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		out <- answer.Code
	}()
	return in, out
}

// Who is not let in any more is not answered any longer either.
func TestDoor_AStreamEndsWithTheTokenItWasOpenedBy(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, w *world)
		token  bool // there is one from the beginning
		stays  bool
	}{
		"taken back":             {token: true, change: func(t *testing.T, w *world) { revoked(t, w, "reader") }},
		"expired":                {token: true, change: func(_ *testing.T, w *world) { w.pass(2 * time.Hour) }},
		"another is taken back":  {token: true, stays: true, change: func(t *testing.T, w *world) { revoked(t, w, "other") }},
		"the first token is new": {change: func(_ *testing.T, w *world) { w.token("first", ScopeRead) }},
		"nothing happens":        {stays: true, change: func(*testing.T, *world) {}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				r := request("GET", "/api/v1/jobs/1/events")
				if c.token {
					w.token("other", ScopeRead)
					token, _, err := w.open().Tokens().Create("reader", Scopes{ScopeRead}, w.clock().Add(time.Hour))
					if err != nil {
						t.Fatal(err)
					}
					r = request("GET", "/api/v1/jobs/1/events", bearer(token))
				}
				ctx, leave := context.WithCancel(r.Context())
				defer leave()
				begun, ended := w.stream(r.WithContext(ctx))
				<-begun
				time.Sleep(time.Minute) // of the bubble: it is looked at again and again
				select {
				case <-ended:
					t.Fatal("it ended by itself")
				default:
				}
				c.change(t, w)
				time.Sleep(lookAgain + time.Millisecond)
				synctest.Wait()
				select {
				case <-ended:
					if c.stays {
						t.Error("it ended")
					}
				default:
					if !c.stays {
						t.Error("it goes on")
					}
				}
			})
		})
	}
}

// One caller does not have all connections, whatever it opens; what ended counts no more.
func TestDoor_OneCallerHasNotAllConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		greedy, other := w.token("greedy", ScopeRead), w.token("other", ScopeRead)
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		var last <-chan int
		for range mostAtOnce {
			begun, ended := w.stream(request("GET", "/api/v1/jobs/1/events", bearer(greedy)).WithContext(ctx))
			<-begun
			last = ended
		}
		out := w.ask(ScopeRead, request("GET", "/things/a", bearer(greedy)))
		w.want(out, http.StatusTooManyRequests, "too_many")
		if out.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(other))), http.StatusOK, "")
		leave()
		<-last
		synctest.Wait()
		w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(greedy))), http.StatusOK, "")
		if n := len(w.access.atWork.of); n != 0 {
			t.Errorf("%d clients are remembered that ask for nothing", n)
		}
	})
}

// What changes nothing does not push out of the audit what did, whoever asks for it.
func TestAudit_RefusalsOfAGoodTokenAreBoundedToo(t *testing.T) {
	w := newWorld(t)
	token := w.token("assistant", ScopeBackup)
	h := w.access.Handler(http.NotFoundHandler())
	for i := range 200 {
		h.ServeHTTP(httptest.NewRecorder(), request("POST", fmt.Sprintf("/nowhere/%d", i), bearer(token)))
	}
	if n := len(w.entries()); n > refusalsPerClient+1 {
		t.Errorf("%d lines", n)
	}
	w.ask(ScopeBackup, request("POST", "/things/a", bearer(token)))
	if e := w.entries()[0]; e.Outcome != Done || e.Omitted != 200-refusalsPerClient {
		t.Errorf("the last line is %+v", e)
	}
}

// Data that is given away has a line, also if it was cut.
func TestAudit_WhatIsGivenAwayHasALine(t *testing.T) {
	w := newWorld(t)
	token := w.token("restorer", ScopeRestore)
	for _, cut := range []bool{false, true} {
		h := w.access.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			Note(r.Context(), Facts{Backup: "monday", Disclosed: true})
			_, _ = rw.Write([]byte("data"))
			if cut {
				panic(http.ErrAbortHandler)
			}
		}))
		func() {
			defer func() { _ = recover() }()
			h.ServeHTTP(httptest.NewRecorder(), request("GET", "/things/a", bearer(token)))
		}()
		want := map[bool]string{false: Done, true: Failed}[cut]
		if e := w.entries()[0]; e.Caller != "restorer" || e.Backup != "monday" || e.Outcome != want {
			t.Errorf("cut %v: the last line is %+v", cut, e)
		}
	}
}

func revoked(t *testing.T, w *world, name string) {
	t.Helper()
	if _, err := w.open().Tokens().Revoke(name); err != nil {
		t.Fatal(err)
	}
}
