package api

import (
	"net/http"
	"strconv"
	"time"
)

// writePatience is how long one write to a client may take: whoever stops reading
// does not hold a stream for ever, and whoever reads slowly keeps it.
const writePatience = time.Minute

// An unhurried writer gives each write its own time, instead of one deadline for
// the whole response.
type unhurried struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func newUnhurried(w http.ResponseWriter) *unhurried {
	return &unhurried{w: w, rc: http.NewResponseController(w)}
}

// Write implements io.Writer.
func (u *unhurried) Write(b []byte) (int, error) {
	// A writer without deadlines has nothing to put off.
	_ = u.rc.SetWriteDeadline(time.Now().Add(writePatience))
	return u.w.Write(b)
}

// An eventStream writes server-sent events.
type eventStream struct{ out *unhurried }

// newEventStream begins the response.
func newEventStream(w http.ResponseWriter) (*eventStream, error) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a reverse proxy must not collect them
	w.WriteHeader(http.StatusOK)
	s := &eventStream{out: newUnhurried(w)}
	return s, s.out.rc.Flush()
}

// event writes one event with the id by which a client that lost the connection
// goes on.
func (s *eventStream) event(id int64, name string, data any) error {
	body, err := encoded(data) // one line, ended by a newline
	if err != nil {
		return err
	}
	b := append([]byte("id: "), strconv.AppendInt(nil, id, 10)...)
	b = append(b, "\nevent: "+name+"\ndata: "...)
	b = append(append(b, body...), '\n')
	return s.write(b)
}

// heartbeat shows both ends that the other is there.
func (s *eventStream) heartbeat() error { return s.write([]byte(": \n\n")) }

func (s *eventStream) write(b []byte) error {
	if _, err := s.out.Write(b); err != nil {
		return err
	}
	return s.out.rc.Flush()
}
