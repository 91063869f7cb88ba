package daemon

import (
	"io"
	"net"
	"net/http"
	"time"
)

// slowest is how long a client may neither send nor take anything while it is in the middle
// of something: it holds one of a bounded number of connections. Streams that have nothing
// to say are not in the middle of anything.
const slowest = time.Minute

// A patientConn gives up a client that takes nothing.
type patientConn struct{ net.Conn }

func (c patientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(slowest)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// patient gives up a client that does not go on sending its request.
func patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &patientBody{ReadCloser: r.Body, conn: http.NewResponseController(w)}
		}
		next.ServeHTTP(w, r)
	})
}

// A patientBody is a request that must go on.
type patientBody struct {
	io.ReadCloser
	conn *http.ResponseController
}

// Read implements io.Reader. At the end the connection is without a limit again: what
// the server itself reads then only tells that the client has gone.
func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.conn.SetReadDeadline(time.Now().Add(slowest)) // where it cannot be set there is none
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
