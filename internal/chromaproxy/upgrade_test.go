package chromaproxy

import (
	"bufio"
	"cmp"
	"io"
	"net"
	"net/http"
	"testing"
)

// Whatever server is behind, and whatever it would agree to: after an upgrade nobody could
// see what a client deletes, so there is none.
func TestProxy_NoProtocolIsSpokenThatNobodyLooksInto(t *testing.T) {
	for name, wish := range map[string]string{
		"websocket": "Connection: Upgrade\r\nUpgrade: websocket\r\n",
		"http/2":    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
		"unasked":   "",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
				for _, header := range []string{"Upgrade", "Http2-Settings"} {
					if got := r.Header.Get(header); got != "" {
						t.Errorf("%s: %s arrives", header, got)
					}
				}
				c, rw, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + cmp.Or(r.Header.Get("Upgrade"), "h2c") + "\r\n\r\n")
				_ = rw.Flush()
				_, _ = io.Copy(io.Discard, rw)
			}))
			c, err := net.Dial("tcp", s.front.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c, "GET /api/v2/heartbeat HTTP/1.1\r\nHost: x\r\n"+wish+"\r\n")
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || res.StatusCode != http.StatusBadGateway {
				t.Fatalf("%v %v", res, err)
			}
		})
	}
}
