package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/holdfast-backup/holdfast"
)

// ErrTaken is the name of a collection, database or tenant that is in use already.
// It matches holdfast.ErrRefused.
var ErrTaken = holdfast.Kindf(holdfast.ErrRefused, "the name is taken")

// A StatusError is an answer that says that there is none.
type StatusError struct {
	Request string
	Status  int
	Message string // what the server says, on one line, without credentials

	isJSON bool
	kind   string // of the answer
}

// Error tells request, status and the server's words.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s is answered with status %d", e.Request, e.Status)
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// An answerError is an answer of success that cannot be read.
type answerError struct {
	status int
	kind   string
	err    error
}

func (e *answerError) Error() string {
	return fmt.Sprintf("the answer (status %d, %s) cannot be read: %s", e.status, e.kind, e.err)
}

func (e *answerError) Unwrap() error { return e.err }

// A patience is how often a failure is worth another try.
type patience int

const (
	never     patience = iota
	aFew               // it looks lasting
	patiently          // it is passing
)

// A failure is a failed try that may be worth another.
type failure struct {
	err       error
	again     patience
	after     time.Duration // the server wants to be left alone for so long
	maybeDone bool          // the server may have done what was asked
	network   bool          // nothing was answered
	plain500  bool
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// ambiguous tells whether the server may have done what failed.
func ambiguous(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.maybeDone
}

// errClosed is a connection that ends before the answer does.
var errClosed = errors.New("the server closed the connection before it had answered")

// bigBody is from where on a connection that breaks may mean "too big".
const bigBody = 8 << 20

// networkFailure judges an error of the transport.
func networkFailure(ctx context.Context, err error, sent int) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return &failure{err: errStalled, again: patiently, maybeDone: true, network: true}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var wrapped *url.Error // quotes the URL
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var unknown *net.DNSError
	if errors.As(err, &unknown) && unknown.IsNotFound {
		return &holdfast.Error{Err: err, Hint: "is the name of the host right?"}
	}
	var certificate *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &certificate):
		return &holdfast.Error{Err: err, Hint: "its certificate is not trusted here; SSL_CERT_FILE names a file with the authority that signed it"}
	case errors.As(err, &header), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return &holdfast.Error{Err: err, Hint: "it does not speak TLS; is it http:// and not https://?"}
	}
	switch {
	case errors.Is(err, io.EOF):
		err = errClosed
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errCut
	}
	f := &failure{err: err, again: patiently, maybeDone: true, network: true}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		f.maybeDone = false
		f.err = &holdfast.Error{Err: plain(err), Hint: "nobody listens there; does the server run, and is the port right?"}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			f.err = &holdfast.Error{Err: plain(err), Hint: "the host cannot be reached; is the address right?"}
		}
	} else if sent > bigBody {
		f.again = aFew
		f.err = &holdfast.Error{Err: err, Hint: "servers break the connection where a request is too big for them"}
	}
	return f
}

// plain gives the cause of an error of a connection: the address is told already.
func plain(err error) error {
	if call, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("no connection: %w", call.Err)
	}
	return err
}

// maxWords bounds what is read of an answer that says that there is none.
const maxWords = 64 << 10

// refusal judges an answer other than success.
func (c *Client) refusal(q request, resp *http.Response, body io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(body, maxWords))
	s := &StatusError{Request: q.name, Status: resp.StatusCode, kind: kindOf(resp)}
	s.Message, s.isJSON = wordsOf(text)
	s.Message = shorten(c.clean(s.Message)) // in this order: of a secret that was cut a part would stay
	if err != nil && s.Message == "" {
		s.Message = "the answer was cut off"
	}
	f := &failure{err: s, after: retryAfter(resp.Header, c.now())}
	switch {
	case s.Status == http.StatusTooManyRequests, passing(s):
		f.again = patiently
	case s.Status == http.StatusServiceUnavailable, s.Status == http.StatusBadGateway, s.Status == http.StatusGatewayTimeout, s.Status == http.StatusRequestTimeout:
		f.again, f.maybeDone = patiently, true
	case s.Status >= http.StatusInternalServerError:
		f.again, f.maybeDone, f.plain500 = aFew, true, true
		if lasting(s) {
			f.again = never
		}
	}
	return f
}

// passing tells whether an error of the server is over in a moment, with nothing done.
func passing(s *StatusError) bool {
	return s.Status/100 == 5 && (strings.Contains(s.Message, "database is locked") || strings.Contains(s.Message, "pool timed out"))
}

// lasting tells whether an error of the server will be the same at the next try.
func lasting(s *StatusError) bool {
	for _, words := range []string{"finding id", "UNIQUE constraint", "readonly database", "does not exist"} {
		if strings.Contains(s.Message, words) {
			return true
		}
	}
	return false
}

// wordsOf takes the words out of an error's body. Servers have had several shapes of it.
func wordsOf(text []byte) (words string, isJSON bool) {
	var shape struct {
		Error   string          `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(text, &shape) != nil {
		return string(text), false
	}
	switch {
	case shape.Message != "":
		return shape.Message, true
	case shape.Error != "":
		return shape.Error, true
	case shape.Detail != nil:
		return string(shape.Detail), true
	}
	return string(text), true
}

// shorten makes one line that is not long.
func shorten(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " "), "?")
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return s
}

// kindOf names the kind of an answer.
func kindOf(resp *http.Response) string {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return "of no kind"
	}
	return kind
}

// clean removes credentials from a text.
func (c *Client) clean(s string) string {
	for _, secret := range c.secrets {
		s = strings.ReplaceAll(s, secret, "[hidden]")
	}
	return s
}

// final words the last error of a request.
func (c *Client) final(q request, err error) error {
	s, ok := errors.AsType[*StatusError](err)
	if !ok {
		return err
	}
	sent := "no header was sent; HOLDFAST_CHROMA_HEADERS or the setting headers gives one"
	if len(c.names) > 0 {
		sent = "these headers were sent: " + strings.Join(c.names, ", ") + "; are their values right, and may their owner do this?"
	}
	switch {
	case s.Status == http.StatusUnauthorized || s.Status == http.StatusForbidden:
		return &holdfast.Error{Err: kinded{holdfast.ErrRefused, err}, Hint: sent}
	case taken(s):
		return kinded{ErrTaken, err}
	case notFound(s):
		return kinded{holdfast.ErrNotFound, err}
	case s.Status/100 == 3:
		return &holdfast.Error{Err: err, Hint: "redirects are not followed, since the headers would go along; give the URL that they lead to"}
	case s.Status == http.StatusRequestEntityTooLarge:
		return &holdfast.Error{Err: err, Hint: "raise the limit for the size of requests of the server, or of the proxy before it"}
	case s.Status >= http.StatusInternalServerError:
		return &holdfast.Error{Err: err, Hint: "the log of the server, or of the proxy before it, says more"}
	}
	return err
}

// taken tells whether an answer says that a name is in use.
func taken(s *StatusError) bool {
	return s.isJSON && (s.Status == http.StatusConflict || strings.Contains(s.Message, "already exists") || strings.Contains(s.Message, "UNIQUE constraint"))
}

// notFound tells whether an answer says that something does not exist. Older servers
// say so with statuses of other errors.
func notFound(s *StatusError) bool {
	return s.isJSON && (s.Status == http.StatusNotFound || strings.Contains(s.Message, "does not exist"))
}

// kinded is an error that matches another one too: one of the vocabulary, or the answer
// that it puts into words.
type kinded struct {
	kind error
	err  error
}

func (k kinded) Error() string   { return k.err.Error() }
func (k kinded) Unwrap() []error { return []error{k.kind, k.err} }
