package daemon

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// A client that holds back the rest of its body gets its answer, and does not keep its
// connection, whether or not anybody reads the body: before a token is looked at, too.
func TestDoor_ABodyThatIsHeldBackHoldsNoConnection(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"unread": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"read": func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err == nil {
				t.Error("the body was whole")
			}
			w.WriteHeader(http.StatusRequestTimeout)
		},
		"read and closed": func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err == nil {
				t.Error("the body was whole")
			}
			_ = r.Body.Close() // net/http forgets that there is more
			w.WriteHeader(http.StatusRequestTimeout)
		},
		"in no hurry": func(w http.ResponseWriter, _ *http.Request) {
			c := http.NewResponseController(w)
			if err := c.SetReadDeadline(time.Time{}); err != nil {
				t.Error(err)
			}
			if err := c.Flush(); err != nil {
				t.Error(err)
			}
		},
	} {
		for _, head := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
			t.Run(name+" "+head, func(t *testing.T) {
				t.Parallel()
				d, err := openDoorWith(t.Context(), "serve.listen", "127.0.0.1:0", 50*time.Millisecond, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				d.answer(handler, nil)
				d.open()
				defer d.close(context.Background())
				c, err := net.Dial("tcp", d.addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(c, "POST /api/v1/backups HTTP/1.1\r\nHost: localhost\r\n"+head+"\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				in := bufio.NewReader(c)
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("no answer: %v", err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil {
					t.Fatalf("no whole answer: %v", err)
				}
				if _, err := in.ReadByte(); err == nil || isTimeout(err) {
					t.Errorf("the connection stays: %v", err)
				}
			})
		}
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// A handler may give less time for the whole of a body than a client gets for a part of it.
func TestDoor_AHandlerMayWantABodySooner(t *testing.T) {
	t.Parallel()
	d, err := openDoorWith(t.Context(), "serve.listen", "127.0.0.1:0", time.Hour, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	cut := make(chan error, 1)
	d.answer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		_, err := io.ReadAll(r.Body)
		cut <- err
	}), nil)
	d.open()
	defer d.close(context.Background())
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-cut:
		if !isTimeout(err) {
			t.Errorf("the body ended: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it still waits")
	}
}
