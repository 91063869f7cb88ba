package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/holdfast-backup/holdfast/internal/job"
)

type eventsInput struct {
	Identified
	After int64 `query:"after" minimum:"0" doc:"Only events with a greater number."`
	Last  int64 `header:"Last-Event-ID" minimum:"0" doc:"The same, as browsers send it when they connect again."`
}

const eventStreamType = "text/event-stream"

// The names of events.
const (
	eventState    = "state"
	eventProgress = "progress"
)

func (s *server) addEvents() {
	add(s, route{
		id: "followJob", method: http.MethodGet, path: "/jobs/{id}/events", tag: "jobs", summary: "Follow a job",
		description: "Server-sent events: `state` when the state of the job changes, `progress` with news of its work; the data of each is a JobEvent, its id the number of the event. " +
			"The stream begins with the first event, or after the one that Last-Event-ID or after names, and ends when the job has ended: the last event is its final state. " +
			"A comment every 15 seconds shows that the connection lives. If there is nothing left to tell, the answer is 204, at which an EventSource stops asking.",
		scopes: readsJobs, status: http.StatusOK, errors: []int{http.StatusNotFound}, produces: []string{eventStreamType},
		also: map[int]answer{http.StatusNoContent: {words: "The job has ended, and you have seen it all."}},
	}, s.follow)
	op := s.operation(http.MethodGet, Root+"/jobs/{id}/events")
	op.Responses["200"].Content[eventStreamType].Schema = s.eventSchema()
}

// eventSchema describes a stream as the list of its events.
func (s *server) eventSchema() *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeArray, Description: "The events of the stream, each with id, event and data as server-sent events have them.",
		Items: &huma.Schema{Type: huma.TypeObject, Required: []string{"id", "event", "data"}, Properties: map[string]*huma.Schema{
			"id":    {Type: huma.TypeInteger},
			"event": {Type: huma.TypeString, Enum: []any{eventState, eventProgress}},
			"data":  schemaOf[job.Event](s),
		}},
	}
}

func (s *server) follow(ctx context.Context, in *eventsInput) (*streamOutput, error) {
	j, err := s.ownJob(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &streamOutput{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Type", eventStreamType)
			w.WriteHeader(http.StatusOK)
			return
		}
		s.sendEvents(w, r, j, max(in.After, in.Last))
	}}, nil
}

// sendEvents writes the events of a job until it has ended, or the client or the
// server has.
func (s *server) sendEvents(w http.ResponseWriter, r *http.Request, j job.Job, after int64) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	events := s.collect(ctx, j.ID, after)
	defer func() {
		cancel()
		for range events { // until the collector has gone
		}
	}()
	var out *eventStream
	begin := func() (err error) {
		if out == nil {
			out, err = newEventStream(w)
		}
		return err
	}
	if !j.State.Ended() {
		if begin() != nil {
			return
		}
	}
	beat := time.NewTicker(s.o.Heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case e, ok := <-events:
			if !ok {
				if out == nil && r.Context().Err() == nil {
					w.WriteHeader(http.StatusNoContent)
				}
				return
			}
			if err = begin(); err == nil {
				err = out.event(e.Seq, nameOf(e), e)
			}
		case <-beat.C:
			if err = begin(); err == nil {
				err = out.heartbeat()
			}
		case <-s.o.Closing:
			return
		case <-ctx.Done():
			return
		}
		if err != nil {
			return // the client is gone, and comes back if it wants to
		}
	}
}

// collect gives the events in a channel, which is closed at their end.
func (s *server) collect(ctx context.Context, id string, after int64) <-chan job.Event {
	events := make(chan job.Event)
	go func() {
		defer close(events)
		for e, err := range s.core().Jobs.Events(ctx, id, after) {
			if err != nil {
				return // ctx has ended, or the job is not kept any more
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events
}

func nameOf(e job.Event) string {
	if e.Event != nil {
		return eventProgress
	}
	return eventState
}
