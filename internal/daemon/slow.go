package daemon

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// slowest is how long a client may neither send nor take anything while it is in the middle
// of something: it holds one of a bounded number of connections. Streams that have nothing
// to say are not in the middle of anything.
const slowest = time.Minute

// A patientConn gives up a client that takes nothing.
type patientConn struct {
	net.Conn
	patience time.Duration
}

func (c patientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// patient gives up a client that does not go on sending its request. As long as there is
// more of the body there is a limit, whoever answers and whatever of it he reads: net/http
// itself reads what is left, before the answer goes out.
func patient(next http.Handler, patience time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		b := &patientBody{ReadCloser: r.Body, conn: http.NewResponseController(w), patience: patience}
		r.Body = b
		b.hurry()
		defer b.hurry() // the answer may have taken longer than that
		next.ServeHTTP(patientWriter{w, b}, r)
	})
}

// A patientBody is a request that must go on.
type patientBody struct {
	io.ReadCloser
	conn     *http.ResponseController
	patience time.Duration
	whole    atomic.Bool               // it has come to its end
	given    atomic.Bool               // somebody has given up on the rest of it
	limit    atomic.Pointer[time.Time] // by which the handler wants all of it; nil: there is none
}

// Read implements io.Reader. At the end the connection is without a limit again: what
// the server itself reads then only tells that the client has gone.
func (b *patientBody) Read(p []byte) (int, error) {
	b.hurry()
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.whole.Store(true)
		_ = b.conn.SetReadDeadline(time.Time{}) // where it cannot be set there is none
	} else if err != nil {
		b.given.Store(true)
	}
	return n, err
}

// Close implements io.Closer.
func (b *patientBody) Close() error {
	if !b.whole.Load() {
		b.given.Store(true)
	}
	return b.ReadCloser.Close()
}

// hurry limits the time until the next part of the body, if there is one.
func (b *patientBody) hurry() {
	if b.whole.Load() {
		return
	}
	at := time.Now().Add(b.patience)
	if limit := b.limit.Load(); limit != nil && limit.Before(at) {
		at = *limit
	}
	_ = b.conn.SetReadDeadline(at) // where it cannot be set there is none
}

// A patientWriter keeps its handler from giving more time while there is more of the body;
// less it may give.
type patientWriter struct {
	http.ResponseWriter
	body *patientBody
}

// WriteHeader implements http.ResponseWriter.
func (w patientWriter) WriteHeader(status int) {
	w.end()
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w patientWriter) Write(p []byte) (int, error) {
	w.end()
	return w.ResponseWriter.Write(p)
}

// end lets the connection end with the answer to a body that nobody read to its end:
// net/http takes one that was closed for one that was read, and what comes late of it for
// the next request.
func (w patientWriter) end() {
	if w.body.given.Load() {
		w.Header().Set("Connection", "close")
	}
}

// SetReadDeadline is for http.ResponseController.
func (w patientWriter) SetReadDeadline(at time.Time) error {
	if w.body.whole.Load() {
		return w.body.conn.SetReadDeadline(at)
	}
	w.body.limit.Store(nil)
	if !at.IsZero() {
		w.body.limit.Store(&at)
	}
	w.body.hurry()
	return nil
}

// Flush implements http.Flusher.
func (w patientWriter) Flush() { _ = w.body.conn.Flush() }

// Unwrap is for http.ResponseController.
func (w patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
