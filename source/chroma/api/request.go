package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A request is one request with all its tries.
type request struct {
	name   string // for people
	method string // GET if empty
	path   string // escaped, with the query
	body   []byte
	// unsafe tells that it must not be repeated where the server may have done it.
	unsafe bool
	// once tells that it is not tried again while nobody listens.
	once bool
	// halves tells that a plain 500 is the caller's to deal with, at once.
	halves bool
}

// The pauses between tries, and how many tries a failure gets that looks lasting.
const (
	firstPause = 200 * time.Millisecond
	longPause  = 10 * time.Second
	fewTries   = 3
)

// do sends a request until it is answered, its failure is final, or patience is at an
// end. decode reads the answer of a success from its beginning in each try; nil reads
// nothing of it.
func (c *Client) do(ctx context.Context, q request, decode func(io.Reader) error) error {
	if before, _, _ := strings.Cut(q.path, "?"); slices.ContainsFunc(strings.Split(before, "/"), func(e string) bool { return e == "." || e == ".." }) {
		// What stands between us and the server may take it for a way to another place.
		return &holdfast.Error{Op: q.name, Err: holdfast.Kindf(holdfast.ErrUsage, "no tenant, database or collection can be called . or ..")}
	}
	began := c.now()
	pause := firstPause
	for try := 1; ; try++ {
		err := c.try(ctx, q, decode)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f, ok := errors.AsType[*failure](err)
		if !ok || c.patience < 0 {
			return c.final(q, err)
		}
		again := f.again
		if q.unsafe && f.maybeDone || q.once && f.network || f.plain500 && q.halves {
			again = never
		}
		if again == never || again == aFew && try >= fewTries {
			return c.final(q, err)
		}
		wait := max(f.after, pause/2+rand.N(pause))
		if c.now().Add(wait).Sub(began) > c.patience {
			return c.final(q, err)
		}
		if f.after > 0 {
			c.pace.rest(f.after)
		}
		c.log.Debug("a request to the Chroma server is tried again", "request", q.name, "try", try, "wait", wait, "error", c.clean(err.Error()))
		if err := c.sleep(ctx, wait); err != nil {
			return err
		}
		pause = min(2*pause, longPause)
	}
}

// try sends a request once.
func (c *Client) try(ctx context.Context, q request, decode func(io.Reader) error) error {
	end, err := c.pace.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(c.stall, func() { cancel(errStalled) })
	defer watch.Stop()
	method := q.method
	if method == "" {
		method = http.MethodGet
	}
	var in io.Reader
	if q.body != nil {
		in = bytes.NewReader(q.body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.root+q.path, in)
	if err != nil {
		return err
	}
	for name, values := range c.headers {
		req.Header[name] = values
		if name == "Host" && len(values) > 0 {
			req.Host = values[0]
		}
	}
	req.Header.Set("Accept", "application/json")
	if q.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return networkFailure(ctx, err, len(q.body))
	}
	defer resp.Body.Close()
	body := &watched{from: resp.Body, watch: watch, stall: c.stall, due: 1}
	if resp.StatusCode/100 != 2 {
		return c.refusal(q, resp, body)
	}
	if decode == nil {
		// What it says does not matter, only that it is said to its end.
		if _, err = io.CopyN(io.Discard, body, maxWords); errors.Is(err, io.EOF) {
			err = nil
		}
	} else if err = decode(body); err == nil {
		// Read to its end, the connection can be used again.
		_, _ = io.CopyN(io.Discard, body, 4<<10)
	}
	switch {
	case err == nil:
		return nil
	case body.failed != nil:
		return networkFailure(ctx, body.failed, len(q.body))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &failure{err: errCut, again: patiently, maybeDone: true, network: true}
	}
	return &answerError{status: resp.StatusCode, kind: kindOf(resp), err: err}
}

// errStalled ends a try in which the server says nothing, or next to nothing.
var errStalled = errors.New("it says nothing any more, or next to nothing")

// errCut is an answer that ends too early.
var errCut = errors.New("the answer was cut off")

// leastFlow is how much must come until the watch barks: what drips would not end in days.
const leastFlow = 256 << 10

// A watched body keeps the watch from barking as long as enough comes, and
// remembers how reading failed: what a decoder makes of that is another thing.
type watched struct {
	from   io.Reader
	watch  *time.Timer
	stall  time.Duration
	due    int // bytes until the watch begins anew
	failed error
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if w.due -= n; w.due <= 0 {
		w.watch.Reset(w.stall)
		w.due = leastFlow
	}
	if err != nil && !errors.Is(err, io.EOF) {
		w.failed = err
	}
	return n, err
}

// retryAfter reads how long a server wants to be left alone: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 && seconds < float64(week/time.Second) {
		return time.Duration(seconds * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

const week = 7 * 24 * time.Hour
