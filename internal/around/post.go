package around

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/holdfast-backup/holdfast/internal/redact"
)

const (
	// attempts is how often something is sent that does not arrive.
	attempts = 3
	// mostRedirects and mostAnswer bound what an endpoint can make us do.
	mostRedirects = 3
	mostAnswer    = 64 << 10
	// firstPause and nextPause are the parts of the time limit that pass before
	// something is sent again.
	firstPause = 20
	nextPause  = 5
)

// A poster sends to endpoints that may be slow, gone, or somebody else's by now.
type poster struct {
	client *http.Client
	agent  string
}

// newPoster takes a client and keeps it from being led to another host.
func newPoster(base *http.Client, agent string) *poster {
	c := http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableKeepAlives: true, ResponseHeaderTimeout: time.Minute}}
	if base != nil {
		c = *base
	}
	c.Jar = nil
	c.CheckRedirect = sameHost
	return &poster{client: &c, agent: agent}
}

var (
	errRedirect  = errors.New("it answers with a redirect to another host, which is not followed: configure that address instead")
	errMethod    = errors.New("it answers with a redirect that would lose what is sent: configure that address instead")
	errRedirects = errors.New("it answers with one redirect after the other")
)

// sameHost lets a request be redirected only where it was to go: what is sent
// was meant for that host, and is signed for it.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case len(via) > mostRedirects:
		return errRedirects
	case req.URL.Host != first.URL.Host || first.URL.Scheme == "https" && req.URL.Scheme != "https":
		return errRedirect
	case req.Method != first.Method:
		return errMethod
	}
	return nil
}

// A parcel is one thing to send.
type parcel struct {
	url     string
	method  string // empty is POST
	kind    string // content type
	header  http.Header
	body    []byte
	timeout time.Duration // of all attempts together
}

// A statusError is an answer that is no success.
type statusError struct{ code int }

func (s *statusError) Error() string {
	return fmt.Sprintf("it answered %d %s", s.code, http.StatusText(s.code))
}

// send sends until it arrives, within the time limit. Only what may be better a
// moment later is tried again.
func (p *poster) send(ctx context.Context, what parcel) error {
	ctx, cancel := context.WithTimeoutCause(ctx, what.timeout, fmt.Errorf("no answer within %s", what.timeout))
	defer cancel()
	pauses := []time.Duration{what.timeout / firstPause, what.timeout / nextPause}
	for n := 1; ; n++ {
		err := p.once(ctx, what)
		if ctx.Err() != nil && err != nil {
			return context.Cause(ctx)
		}
		if err == nil || n == attempts || !passing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pauses[n-1]):
		}
	}
}

// passing tells whether a failure may pass by itself.
func passing(err error) bool {
	if s, ok := errors.AsType[*statusError](err); ok {
		return s.code >= 500 && s.code != http.StatusNotImplemented || s.code == http.StatusTooManyRequests || s.code == http.StatusRequestTimeout
	}
	return !errors.Is(err, errRedirect) && !errors.Is(err, errMethod) && !errors.Is(err, errRedirects) && !errors.Is(err, errRequest)
}

var errRequest = errors.New("the address cannot be asked")

func (p *poster) once(ctx context.Context, what parcel) error {
	method := what.method
	if method == "" {
		method = http.MethodPost
	}
	var body io.Reader
	if method == http.MethodPost {
		body = bytes.NewReader(what.body)
	}
	req, err := http.NewRequestWithContext(ctx, method, what.url, body)
	if err != nil {
		return errRequest // the cause quotes the URL, and adds nothing else
	}
	for name, values := range what.header {
		req.Header[name] = values
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", what.kind)
	}
	req.Header.Set("User-Agent", p.agent)
	answer, err := p.client.Do(req)
	if err != nil {
		// The outermost text quotes method and URL; the cause is enough.
		if quoting, ok := errors.AsType[*url.Error](err); ok {
			err = quoting.Err
		}
		return redact.Error(err, redact.Secrets(what.url)...)
	}
	// Read, so that the other side sees the end of its answer; more of it is cut.
	_, readErr := io.CopyN(io.Discard, answer.Body, mostAnswer)
	closeErr := answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return &statusError{answer.StatusCode}
	}
	if readErr != nil && !errors.Is(readErr, io.EOF) {
		return nil // it said that it has it; how it went on does not matter
	}
	return closeErr
}
