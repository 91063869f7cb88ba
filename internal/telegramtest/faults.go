package telegramtest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Download is the name under which Fail knows the download of a file.
const Download = "download"

// Any is the name under which Fail knows every method.
const Any = "*"

// A Fault is what goes wrong. Exactly one of its kinds is set.
type Fault struct {
	Code       int    // refuse with this status: 429, 400, 502
	RetryAfter int    // seconds, with 429
	Text       string // description; what Telegram says if empty
	Cut        int64  // close the connection after so many bytes of the body
	Hang       bool   // never answer; ends when the client does
	Drop       bool   // close the connection without reading or doing anything
	Lost       bool   // do it, and close the connection instead of answering
}

// Fail makes the next n calls of the method fail so. Several are taken one
// after the other; those of a method before those of Any.
func (s *Server) Fail(method string, n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.faults[strings.ToLower(method)] = append(s.faults[strings.ToLower(method)], f)
	}
}

// Heal takes all faults away that have not come up, and tells how many.
func (s *Server) Heal() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, f := range s.faults {
		n += len(f)
	}
	clear(s.faults)
	return n
}

// fault takes the next fault of a method.
func (s *Server) fault(method string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []string{strings.ToLower(method), Any} {
		if waiting := s.faults[name]; len(waiting) > 0 {
			s.faults[name] = waiting[1:]
			return waiting[0], true
		}
	}
	return Fault{}, false
}

// before does what goes wrong before the call; it tells whether that was all.
func (f Fault) before(w http.ResponseWriter, req *http.Request) bool {
	if f.Code != 0 || f.Hang {
		drain(req)
	}
	switch {
	case f.Code == http.StatusTooManyRequests:
		reply(w, nil, tooMany(max(1, f.RetryAfter)))
	case f.Code == http.StatusBadGateway && f.Text == "":
		// The servers before the Bot API answer in their own way.
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.Code)
		_, _ = io.WriteString(w, "<html><head><title>502 Bad Gateway</title></head></html>")
	case f.Code != 0:
		text := f.Text
		if text == "" {
			text = http.StatusText(f.Code)
		}
		reply(w, nil, &refusal{Code: f.Code, Description: text})
	case f.Hang:
		<-req.Context().Done()
		hangUp()
	case f.Cut > 0 && req.Method == http.MethodPost:
		_, _ = io.CopyN(io.Discard, req.Body, f.Cut)
		hangUp()
	case f.Drop:
		hangUp()
	default:
		return false
	}
	return true
}

// after does what goes wrong once the call is done.
func (f Fault) after() {
	if f.Lost {
		hangUp()
	}
}

// hangUp closes the connection of the request without an answer: the server of
// net/http knows this panic, and does not report it.
func hangUp() { panic(http.ErrAbortHandler) }

// writer cuts a download.
func (f Fault) writer(w io.Writer) io.Writer {
	if f.Cut == 0 {
		return w
	}
	return &cutter{w: w, left: f.Cut}
}

// A cutter closes the connection after some bytes.
type cutter struct {
	w    io.Writer
	left int64
}

// Write implements io.Writer.
func (c *cutter) Write(p []byte) (int, error) {
	if int64(len(p)) < c.left {
		c.left -= int64(len(p))
		return c.w.Write(p)
	}
	if n, err := c.w.Write(p[:c.left]); err != nil {
		return n, err
	}
	if f, ok := c.w.(http.Flusher); ok {
		f.Flush() // what is cut has been sent until here
	}
	panic(http.ErrAbortHandler)
}

// String tells the fault.
func (f Fault) String() string {
	switch {
	case f.Code != 0:
		return fmt.Sprintf("fault: %d", f.Code)
	case f.Cut != 0:
		return fmt.Sprintf("fault: cut after %d bytes", f.Cut)
	case f.Hang:
		return "fault: no answer"
	case f.Lost:
		return "fault: the answer is lost"
	}
	return "fault: the connection is dropped"
}
