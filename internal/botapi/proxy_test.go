package botapi

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// proxyUser and proxyPassword open the proxies of the tests.
const (
	proxyUser     = "somebody"
	proxyPassword = "pass/word @1"
)

// A passage is a proxy that notes where it led.
type passage struct {
	addr string
	mu   sync.Mutex
	led  []string
}

func (p *passage) to() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.led
}

// listen serves connections with one function each.
func listen(t *testing.T, serve func(p *passage, c net.Conn) error) *passage {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &passage{addr: l.Addr().String()}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				_ = serve(p, c) // who came sees that it ends
			})
		}
	})
	return p
}

// lead connects two ends until one of them closes.
func (p *passage) lead(c net.Conn, from io.Reader, target string) error {
	p.mu.Lock()
	p.led = append(p.led, target)
	p.mu.Unlock()
	far, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		return err
	}
	defer far.Close()
	go func() {
		_, _ = io.Copy(far, from)
		_ = far.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(c, far)
	return err
}

// connectProxy is an HTTP proxy for CONNECT that wants a name and a password.
func connectProxy(t *testing.T) *passage {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(proxyUser+":"+proxyPassword))
	return listen(t, func(p *passage, c net.Conn) error {
		in := bufio.NewReader(c)
		r, err := http.ReadRequest(in)
		if err != nil {
			return err
		}
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != want {
			_, err := io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return err
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
			return err
		}
		return p.lead(c, in, r.Host)
	})
}

// socksProxy is a SOCKS5 server that wants a name and a password (RFC 1928 and 1929). It
// gets names unresolved, and knows only loopback.
func socksProxy(t *testing.T) *passage {
	return listen(t, func(p *passage, c net.Conn) error {
		in := bufio.NewReader(c)
		some := func(n byte) string {
			b := make([]byte, n)
			_, _ = io.ReadFull(in, b)
			return string(b)
		}
		one := func() byte { return some(1)[0] }
		if one() != 5 || !strings.Contains(some(one()), "\x02") {
			return errors.New("it offers no password")
		}
		_, _ = c.Write([]byte{5, 2})
		one() // version of the exchange
		if some(one()) != proxyUser || some(one()) != proxyPassword {
			_, err := c.Write([]byte{1, 1})
			return err
		}
		_, _ = c.Write([]byte{1, 0})
		some(3) // version, connect, reserved
		var host string
		switch one() {
		case 1:
			host = net.IP(some(4)).String()
		case 3:
			host = some(one())
		}
		port := binary.BigEndian.Uint16([]byte(some(2)))
		_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		return p.lead(c, in, net.JoinHostPort(host, strconv.Itoa(int(port))))
	})
}

// secure is the Bot API over TLS, as Telegram's is.
func secure(t *testing.T) *httptest.Server {
	s := httptest.NewTLSServer(message)
	t.Cleanup(s.Close)
	return s
}

// trusting makes a client trust a server of the tests.
func trusting(w *world, s *httptest.Server) {
	w.http.Transport.(transport).next.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12}
}

func TestProxy(t *testing.T) {
	const userinfo = "somebody:pass%2Fword%20%401@"
	for name, c := range map[string]struct {
		start  func(*testing.T) *passage
		scheme string
	}{
		"http":    {connectProxy, "http"},
		"socks5":  {socksProxy, "socks5"},
		"socks5h": {socksProxy, "socks5h"},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := secure(t), c.start(t)
			w := newWorld(t, Options{API: s.URL, Proxy: c.scheme + "://" + userinfo + p.addr})
			trusting(w, s)
			if m, err := w.Send(t.Context(), hello(5)); err != nil || m.ID != 7 {
				t.Fatalf("%v, %v", m, err)
			}
			w.hangUp()
			if led := p.to(); len(led) != 1 || led[0] != s.Listener.Addr().String() {
				t.Errorf("it went to %v", led)
			}

			w = newWorld(t, Options{API: s.URL, Proxy: c.scheme + "://somebody:wrong-password@" + p.addr, Patience: time.Second})
			trusting(w, s)
			_, err := w.Send(t.Context(), hello(5))
			if !errors.Is(err, holdfast.ErrUsage) || !strings.Contains(holdfast.HintOf(err), "telegram.proxy") || len(w.clock.waited) > 0 {
				t.Errorf("a wrong password: %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "wrong-password") || strings.Contains(w.log.String(), "wrong-password")) {
				t.Errorf("the password is told: %v\n%s", err, w.log)
			}
			if len(p.to()) != 1 {
				t.Errorf("it was let through: %v", p.to())
			}
		})
	}
}

func TestProxy_ThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"http", "https", "socks5"} {
		w := newWorld(t, Options{API: "https://bots.example", Proxy: scheme + "://" + nobody, Patience: time.Second})
		_, err := w.Me(t.Context())
		if holdfast.CauseOf(err) != holdfast.CauseUnreachable || !strings.Contains(holdfast.HintOf(err), "telegram.proxy") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}
