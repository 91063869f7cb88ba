package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A connection is a stream of events over TCP, read line by line.
type connection struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	head *http.Response
}

// follow opens a stream.
func (w *world) follow(id string, headers ...string) *connection {
	w.t.Helper()
	return w.stream("/jobs/"+id+"/events", headers...)
}

// stream opens any stream.
func (w *world) stream(path string, headers ...string) *connection {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	request := "GET " + Root + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
	for i := 0; i < len(headers); i += 2 {
		request += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
		w.t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	head, err := http.ReadResponse(in, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	produced.note("followJob", head.StatusCode)
	return &connection{w.t, conn, bufio.NewReader(head.Body), head}
}

// next reads one event; heartbeats are counted. It is false at the end.
func (c *connection) next(beats *int) (id int64, name string, e job.Event, ok bool) {
	c.t.Helper()
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return 0, "", job.Event{}, false
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "":
			if line == ": " {
				*beats++
			}
			if name != "" {
				return id, name, e, true
			}
		case "id":
			id, _ = strconv.ParseInt(value, 10, 64)
		case "event":
			name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				c.t.Fatalf("%v: %s", err, value)
			}
		}
	}
}

// slow begins a job that goes on until release is called.
func (w *world) slow(kind string) (id string, say func(path string), release func()) {
	w.t.Helper()
	news, done := make(chan string), make(chan struct{})
	j, _, err := w.core.Jobs.Start(kind, "local", "", nil, func(ctx context.Context, h *job.Handle) (any, error) {
		for {
			select {
			case path := <-news:
				holdfast.ObserverOf(ctx).Send(holdfast.Event{Op: "verify", Step: holdfast.StepVerify, State: holdfast.Started, Path: path})
			case <-done:
				return report.NewVerify("here"), nil
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return j.ID, func(path string) { news <- path }, func() { close(done) }
}

func TestFollow_LiveWithHeartbeatsToTheEnd(t *testing.T) {
	w := newWorld(t, nil)
	id, say, release := w.slow("verify")
	c := w.follow(id)
	if kind := c.head.Header.Get("Content-Type"); kind != eventStreamType || c.head.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", c.head.StatusCode, kind)
	}
	beats, last := 0, int64(0)
	say("one")
	var seen []string
	for {
		n, name, e, ok := c.next(&beats)
		if !ok {
			break
		}
		if n <= last || n != e.Seq {
			t.Errorf("event %d after %d (seq %d)", n, last, e.Seq)
		}
		last = n
		switch {
		case e.Event != nil && name == eventProgress && e.Event.Path == "one":
			time.Sleep(200 * time.Millisecond) // some heartbeats long
			release()
			seen = append(seen, "one")
		case name == eventState:
			seen = append(seen, string(e.State))
		}
	}
	if got := strings.Join(seen, " "); !strings.HasSuffix(got, "one succeeded") || beats == 0 {
		t.Errorf("saw %q, %d heartbeats", got, beats)
	}
	// Who has seen it all is told to stop asking.
	if again := w.follow(id, "Last-Event-ID", strconv.FormatInt(last, 10)); again.head.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", again.head.StatusCode)
	}
	if r := w.ask("GET", "jobs/"+id+"/events", nil); !strings.Contains(string(r.body), "event: state") {
		t.Errorf("%s", r.body)
	}
}

// A connection that is lost costs nothing: the next one goes on behind the last event.
func TestFollow_GoesOnAfterALostConnection(t *testing.T) {
	w := newWorld(t, nil)
	id, say, release := w.slow("verify")
	c := w.follow(id)
	beats := 0
	say("before")
	var last int64
	for {
		n, _, e, ok := c.next(&beats)
		if !ok {
			t.Fatal("the stream ended")
		}
		last = n
		if e.Event != nil && e.Event.Path == "before" {
			break
		}
	}
	c.conn.Close()
	say("meanwhile")
	for _, header := range []string{"Last-Event-ID", ""} {
		again := w.followAfter(id, header, last)
		_, _, e, ok := again.next(&beats)
		if !ok || e.Event == nil || e.Event.Path != "meanwhile" {
			t.Errorf("%q: %+v", header, e)
		}
	}
	release()
	if j := w.ended(id); j.State != job.Succeeded {
		t.Errorf("%+v", j)
	}
}

// followAfter goes on behind an event: by the header, or by the query.
func (w *world) followAfter(id, header string, after int64) *connection {
	if header == "" {
		return w.stream("/jobs/" + id + "/events?after=" + strconv.FormatInt(after, 10))
	}
	return w.follow(id, header, strconv.FormatInt(after, 10))
}

func TestFollow_EndsWhenTheServerCloses(t *testing.T) {
	w := newWorld(t, nil)
	id, _, release := w.slow("verify")
	defer release()
	c := w.follow(id)
	close(w.closing)
	beats := 0
	for ok := true; ok; {
		_, _, _, ok = c.next(&beats)
	}
}

func TestJobs_Cancelled(t *testing.T) {
	w := newWorld(t, nil)
	id, _, _ := w.slow("verify")
	w.ask("POST", "jobs/"+id+"/cancel", nil).want(http.StatusAccepted)
	if j := w.ended(id); j.State != job.Cancelled {
		t.Errorf("%+v", j)
	}
	var page jobPage
	w.ask("GET", "jobs?state=cancelled&state=failed&kind=verify&backup=none", nil).want(http.StatusOK, &page)
	if page.Total != 0 {
		t.Errorf("%+v", page)
	}
	w.ask("GET", "jobs?state=cancelled,failed&limit=1", nil).want(http.StatusOK, &page)
	if page.Total != 1 {
		t.Errorf("%+v", page)
	}
	for _, bad := range []string{"none", "..%2fconfig", "%00", "20241030T143000123-K7Q2M9XA"} {
		if r := w.ask("GET", "jobs/"+bad, nil); r.status != http.StatusNotFound && r.status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, r.status)
		}
	}
	w.ask("GET", "jobs?state=lost", nil).problem(http.StatusUnprocessableEntity, "usage")
}

// A job that was waited for and did not come to its end is a failure of the request.
func TestJobs_AWaitThatIsCancelled(t *testing.T) {
	w := newWorld(t, nil)
	id, _, _ := w.slow("verify")
	j, err := w.core.Jobs.Cancel(id)
	if err != nil {
		t.Fatal(err)
	}
	j = w.ended(j.ID)
	p := problemOf(t.Context(), failureOf(j))
	if p.Status != http.StatusServiceUnavailable || p.Code != "interrupted" || p.Operation != id {
		t.Errorf("%+v", p)
	}
}
