package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

const (
	linesType = "application/x-ndjson"
	// maxScans is how many searches and comparisons may be under way at once: each reads
	// a backup from one end to the other.
	maxScans = 4
	// scanRetry is after how many seconds one that found no room may try again.
	scanRetry = 5
)

// scanTypes are the forms of a scan: lines, unless events are asked for.
var scanTypes = []string{linesType, eventStreamType}

// A scan looks through a lot and tells what it finds, until it has seen all of it or
// nobody listens.
type scan struct {
	// run tells each thing that it finds, in an object with a type of its own, and at
	// last the one that sums up.
	run func(ctx context.Context, tell func(kind string, v any) error, walk func(source, table string, rows int64)) error
	// done is called at the end in any case.
	done func(error)
}

// scanWalk is told while nothing is found: how far the scan is.
type scanWalk struct {
	Type   string `json:"type"` // progress
	Source string `json:"source,omitempty"`
	Table  string `json:"table,omitempty"`
	Rows   int64  `json:"rows,omitempty"`
}

// room takes one of the places for scans.
func (s *server) room() (leave func(), err error) {
	select {
	case s.scans <- struct{}{}:
		return func() { <-s.scans }, nil
	default:
		p := newProblem(http.StatusTooManyRequests, holdfast.ExitLocked, "as many searches and comparisons are under way as may be at once", "try again in a moment")
		p.retryAfter = scanRetry
		return nil, p
	}
}

// spoils keeps of a failure what may lie in the backup that is open, and not in what was
// asked of it.
func spoils(err error) error {
	for _, kind := range []error{holdfast.ErrUsage, holdfast.ErrNotFound, holdfast.ErrRefused, holdfast.ErrIncomplete} {
		if errors.Is(err, kind) {
			return nil
		}
	}
	return err
}

// stream answers with what a scan finds. What fails before anything was found is a
// problem; afterwards it is the last line, of the type error. A stream without a last line
// that sums up, or says error, was cut.
func (s *server) stream(sc scan) *streamOutput {
	return &streamOutput{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		out := &scanStream{w: newUnhurried(w), events: wantsEvents(r.Header.Get("Accept"))}
		if r.Method == http.MethodHead {
			sc.done(nil)
			out.begin()
			return
		}
		s.sendScan(r, out, sc)
	}}
}

// wantsEvents tells that an Accept header takes events and not lines.
func wantsEvents(header string) bool {
	return strings.Contains(strings.ToLower(header), eventStreamType) && !accepts(header, linesType)
}

func (s *server) sendScan(r *http.Request, out *scanStream, sc scan) {
	ctx, cancel := context.WithCancelCause(r.Context())
	type found struct {
		kind  string
		value any
	}
	var mu sync.Mutex
	at := scanWalk{Type: "progress"}
	finds := make(chan found)
	var failure error
	go func() {
		defer close(finds)
		failure = sc.run(ctx, func(kind string, v any) error {
			select {
			case finds <- found{kind, v}:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}, func(source, table string, rows int64) {
			mu.Lock()
			defer mu.Unlock()
			at.Source, at.Table, at.Rows = source, table, rows
		})
	}()
	defer func() {
		cancel(nil)
		for range finds { // until it has gone
		}
		sc.done(failure)
	}()
	beat := time.NewTicker(s.o.Heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case f, ok := <-finds:
			if !ok {
				s.endScan(r, out, failure)
				return
			}
			err = out.send(f.kind, f.value)
		case <-beat.C:
			mu.Lock()
			now := at
			mu.Unlock()
			err = out.send(now.Type, now)
		case <-s.o.Closing:
			return
		case <-ctx.Done():
			return
		}
		if err != nil {
			return // the client is gone
		}
	}
}

// endScan tells a failure, if there was one.
func (s *server) endScan(r *http.Request, out *scanStream, failure error) {
	switch {
	case failure == nil || r.Context().Err() != nil:
	case !out.begun:
		var p *Problem
		if !errors.As(s.told(r.Context(), "scan", failure), &p) {
			return
		}
		writeProblem(out.w.w, r, p)
	default:
		_ = out.send("error", report.NewError("", holdfast.ExitCode(failure), failure)) // whoever does not read it is gone
	}
}

// A scanStream writes lines or events. It begins with the first.
type scanStream struct {
	w      *unhurried
	events bool
	begun  bool
	number int64
}

func (o *scanStream) begin() {
	o.begun = true
	h := o.w.w.Header()
	h.Set("Content-Type", linesType)
	if o.events {
		h.Set("Content-Type", eventStreamType)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a reverse proxy must not collect them
	o.w.w.WriteHeader(http.StatusOK)
}

func (o *scanStream) send(kind string, v any) error {
	if !o.begun {
		o.begin()
	}
	body, err := encoded(v) // one line, ended by a newline
	if err != nil {
		return err
	}
	if o.events {
		o.number++
		head := append([]byte("id: "), strconv.AppendInt(nil, o.number, 10)...)
		body = append(append(head, "\nevent: "+kind+"\ndata: "...), append(body, '\n')...)
	}
	if _, err := o.w.Write(body); err != nil {
		return err
	}
	return o.w.rc.Flush()
}

// describeScan notes in the document what the lines of a scan are.
func (s *server) describeScan(path string, lines ...*huma.Schema) {
	one := &huma.Schema{AnyOf: append(lines, schemaOf[scanWalk](s), schemaOf[report.Error](s))}
	content := s.operation(http.MethodGet, Root+path).Responses["200"].Content
	content[linesType].Schema = &huma.Schema{Type: huma.TypeArray, Description: "One object a line. The last one sums up, or is an error; a progress tells how far it is.", Items: one}
	content[eventStreamType].Schema = &huma.Schema{Type: huma.TypeArray, Description: "The same as server-sent events; the name of an event is the type of its data.", Items: one}
}
