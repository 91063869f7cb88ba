package botapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// stalledAfter is how long a connection may stand still; a long poll is shorter.
const stalledAfter = 2 * time.Minute

// transport tells apart what the Bot API answers and what something on the way does: a
// gateway, a proxy, a server that is another one.
type transport struct {
	next   http.RoundTripper
	answer time.Duration // how long an answer that has begun may take, files apart
}

func newTransport(proxy func(*http.Request) (*url.URL, error), stalled time.Duration) transport {
	dialer := net.Dialer{Timeout: connectWithin, KeepAlive: 30 * time.Second}
	return transport{answer: answerWithin, next: &http.Transport{
		Proxy: proxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &movingConn{Conn: c, stalled: stalled}, nil
		},
		OnProxyConnectResponse: connected,
		TLSHandshakeTimeout:    connectWithin, ResponseHeaderTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second,
		// Of HTTP/2 one connection serves every call: on one that a network has
		// forgotten, each new call would be something that moves.
		HTTP2: &http.HTTP2Config{SendPingTimeout: stalled / 4, PingTimeout: stalled},
	}}
}

// A caller asks. Its errors hold no URL, which holds the token. The library would take it
// out of them while its own goroutine, which writes the form, reads them.
type caller struct{ *http.Client }

// Do asks once.
func (c caller) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.Client.Do(r)
	if asked, ok := errors.AsType[*url.Error](err); ok {
		err = asked.Err
	}
	return resp, err
}

// A movingConn breaks when nothing has moved for a while in either direction: an upload
// has no limit of time, a network that swallows it has.
type movingConn struct {
	net.Conn
	stalled time.Duration
}

func (c *movingConn) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stalled)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *movingConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stalled)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// A statusError is an answer that is none of the Bot API, of the server or of the proxy
// on the way to it.
type statusError struct {
	code  int
	proxy bool
}

func (e *statusError) Error() string {
	who := "the server"
	if e.proxy {
		who = "the proxy"
	}
	return strings.TrimSpace(fmt.Sprintf("%s answers %d %s", who, e.code, http.StatusText(e.code)))
}

// connected looks at what a proxy answers when it is asked for a tunnel.
func connected(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return &statusError{code: answer.StatusCode, proxy: true}
	}
	return nil
}

// mostErrorBody is how much is read of a page that is not looked at, to keep the
// connection.
const mostErrorBody = 64 << 10

// RoundTrip makes errors of answers that are none of the Bot API, whose own are JSON, or a
// file. Their pages are not quoted, and where they point to is not followed: the address
// that was asked holds the token, and whoever is asked next would be told it.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	resp, err := t.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	body := &bounded{ReadCloser: resp.Body, ctx: ctx, end: func() { cancel(nil) }, left: math.MaxInt64}
	resp.Body = body
	file := strings.Contains(r.URL.Path, "/file/bot")
	if file && resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	late := time.AfterFunc(t.answer, func() { cancel(errSlow) })
	body.end = func() { late.Stop(); cancel(nil) }
	if !file && said(resp) {
		body.left = mostAnswer
		return resp, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, mostErrorBody)
	_ = resp.Body.Close()
	return nil, &statusError{code: resp.StatusCode}
}

// said tells whether an answer has the form of those of the Bot API.
func said(resp *http.Response) bool {
	switch code := resp.StatusCode; {
	case !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json"):
		return false
	case code == http.StatusRequestEntityTooLarge, code >= http.StatusMultipleChoices && code < http.StatusBadRequest:
		return false
	default:
		return code < http.StatusInternalServerError
	}
}

// mostAnswer bounds what an answer may hold: updates of a hundred messages.
const mostAnswer = 16 << 20

// errEndless tells of an answer that is longer than any of the Bot API.
var errEndless = errors.New("the answer does not end")

// errSlow tells of an answer that has begun and comes in drips.
var errSlow = errors.New("the answer takes too long")

// bounded is the body of an answer. One that is read into memory ends, and in time.
type bounded struct {
	io.ReadCloser
	ctx  context.Context // of the request; it ends when the answer takes too long
	end  func()          // lets go of it
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errEndless
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && errors.Is(context.Cause(b.ctx), errSlow) {
		err = errSlow
	}
	return n, err
}

// Close implements io.Closer.
func (b *bounded) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
