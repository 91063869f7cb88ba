package site

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/a-h/templ"
)

// writePatience is how long one write to a reader may take: whoever stops reading
// does not hold a stream for ever.
const writePatience = time.Minute

// A Stream sends parts of a page as events, in the form that hx-sse puts in place.
type Stream struct {
	v  *Visit
	rc *http.ResponseController
}

// Stream begins a stream of events. It lives until the handler returns; [Stream.Wait]
// tells when it should.
func (v *Visit) Stream() (*Stream, error) {
	h := v.W.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a reverse proxy must not collect them
	v.W.WriteHeader(http.StatusOK)
	s := &Stream{v, http.NewResponseController(v.W)}
	return s, s.rc.Flush()
}

// LastEvent is the id of the last event that the reader saw before the connection was
// lost; zero if there is none.
func (v *Visit) LastEvent() int64 {
	id, err := strconv.ParseInt(v.R.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		return 0
	}
	return max(0, id)
}

// Send sends a part of a page. Without a name it takes the place that the page gave to
// the stream; with one, it is an event for the page's own elements.
func (s *Stream) Send(id int64, name string, c templ.Component) error {
	var body bytes.Buffer
	if err := c.Render(s.v.Context(), &body); err != nil {
		return err
	}
	var out bytes.Buffer
	out.WriteString("id: " + strconv.FormatInt(id, 10) + "\n")
	if name != "" {
		out.WriteString("event: " + name + "\n")
	}
	for line := range bytes.Lines(lineEnds(body.Bytes())) {
		out.WriteString("data: ")
		out.Write(bytes.TrimRight(line, "\n"))
		out.WriteByte('\n')
	}
	out.WriteByte('\n')
	return s.write(out.Bytes())
}

// lineEnds writes all ends of lines alike. Browsers end a line of a stream at a carriage
// return, too: one in a text would let what follows it pass for a field of the stream.
func lineEnds(b []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
}

// Wait waits until more has something, and tells it; false when the stream has to end:
// the reader is gone, the daemon stops, or more is closed. Meanwhile it shows both ends
// that the other is there.
func Wait[T any](ctx context.Context, s *Stream, more <-chan T) (one T, ok bool) {
	beat := time.NewTicker(s.v.Site.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case one, ok = <-more:
			return one, ok
		case <-beat.C:
			if s.write([]byte(": \n\n")) != nil {
				return one, false
			}
		case <-s.v.Site.Closing:
			return one, false
		case <-ctx.Done():
			return one, false
		}
	}
}

func (s *Stream) write(b []byte) error {
	// A writer without deadlines has nothing to put off.
	_ = s.rc.SetWriteDeadline(time.Now().Add(writePatience))
	if _, err := s.v.W.Write(b); err != nil {
		return err
	}
	return s.rc.Flush()
}
