package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// MaxBody is the most that a request's body may have. Bodies name things; none
// carries data.
const MaxBody = 1 << 20

// besides are the paths beside the API that are no pages.
var besides = append([]string{"/metrics"}, open...)

// forPages tells whether a request is for a page: those of nobody pass the door, so
// that the page can send its reader to the login; what a page shows or does it asks
// Allow for.
func forPages(r *http.Request) bool {
	p := r.URL.Path
	plain := strings.TrimSuffix(p, "/")
	return strings.HasPrefix(p, "/") && (p == "/" || path.Clean(p) == plain) &&
		plain != "/api" && !strings.HasPrefix(p, "/api/") && !slices.Contains(besides, plain)
}

// open are the paths that need no token, and answer under any host name: whoever
// watches a service asks under the name that he knows. They tell nothing but
// whether it is well.
var open = []string{"/healthz", "/readyz"}

// Handler puts the door in front of next. In this order a request must come
// under a name that we serve, from no foreign web page, with a token that is good
// (where one is needed), not too often, and with a body that is not too large.
// Whatever changes something is written down when next has answered it, and so is
// what was refused.
func (a *Access) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guard(w.Header())
		client := clientAt(r.RemoteAddr)
		rec := &visit{client: client, key: cmp.Or(behindProxy(r), client)}
		out := &answer{ResponseWriter: w}
		r, err := a.admit(r, rec)
		if err != nil {
			a.turnAway(out, r, rec, err)
			return
		}
		defer a.atWork.leave(rec.key)
		ctx, done := a.whileGood(r.Context(), rec.caller)
		defer done()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		defer a.close(out, r, rec)
		next.ServeHTTP(out, r)
	})
}

// guard sets what keeps browsers from doing anything with an answer but show it
// where it was asked for. A page may set a policy of its own.
func guard(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, no-cache")
}

// admit decides about a request, and gives it with its caller.
func (a *Access) admit(r *http.Request, rec *visit) (*http.Request, error) {
	s := a.settings.Load()
	unguarded := slices.Contains(open, r.URL.Path) && safe(r.Method)
	if !unguarded && !s.serves(r) {
		return r, &holdfast.Error{
			Op: "request", Err: kindf(ErrForbidden, "this host name is not served here"),
			Hint: "name it in serve.hosts",
		}
	}
	if err := a.sameOrigin(r); err != nil {
		return r, err
	}
	caller, err := a.identify(r, s, unguarded)
	if err != nil {
		return r, a.failed(rec, err)
	}
	rec.caller, rec.looks = caller, forPages(r) && safe(r.Method)
	switch {
	case caller.Token != "":
		rec.key = "token " + caller.Token
	case caller.Session != "":
		rec.key = "session " + caller.Session
	}
	if wait, ok := a.requests.take(rec.key); !ok {
		return r, tooMany(wait, fmt.Sprintf("more than %d requests in a minute", s.perMinute), "wait, or raise serve.requests_per_minute")
	}
	if r.ContentLength > MaxBody {
		return r, &holdfast.Error{Op: "request", Err: holdfast.Kindf(ErrTooLarge, "its body has more than %d bytes", MaxBody)}
	}
	if !a.atWork.enter(rec.key) {
		return r, tooMany(time.Second, fmt.Sprintf("%d requests of this caller are being answered already", mostAtOnce), "let some come to their end, streams of events and downloads among them")
	}
	return r.WithContext(withVisit(WithCaller(r.Context(), caller), rec)), nil
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// sameOrigin refuses what a page of another origin has a browser ask: changes as
// net/http defines them, and reading, too, unless a person follows a link.
func (a *Access) sameOrigin(r *http.Request) error {
	judged := r
	if safe(r.Method) {
		if r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" {
			return nil
		}
		judged = &http.Request{Method: http.MethodPost, Header: r.Header, Host: r.Host, URL: r.URL}
	}
	if err := a.origins.Check(judged); err != nil {
		return &holdfast.Error{Op: "request", Err: kindf(ErrForbidden, "it comes from a web page of another origin")}
	}
	return nil
}

// identify tells who asks.
func (a *Access) identify(r *http.Request, s *settings, unguarded bool) (Caller, error) {
	if tokenInQuery(r) {
		return Caller{}, &holdfast.Error{
			Op: "request", Err: holdfast.Kindf(holdfast.ErrUsage, "a token does not belong into the address, which is written to logs and histories"),
			Hint: "send Authorization: Bearer TOKEN; take this token back if it was a good one: holdfast token revoke NAME",
		}
	}
	if values := r.Header.Values("Authorization"); len(values) > 0 {
		scheme, token, found := strings.Cut(values[0], " ")
		if len(values) > 1 || !found || !strings.EqualFold(scheme, "Bearer") {
			return Caller{}, errBadToken()
		}
		caller, err := a.tokens.caller(strings.TrimSpace(token))
		if err != nil && !errors.Is(err, ErrUnauthorized) {
			return Caller{}, a.nobody(err)
		}
		return caller, err
	}
	if unguarded {
		return Caller{}, nil
	}
	if caller, ok := a.bySession(r); ok {
		return caller, nil
	}
	all, err := a.tokens.List()
	has, unknown := a.passwords.there()
	if err = errors.Join(err, unknown); err != nil {
		err = a.nobody(err)
	} else if len(all) > 0 || has || s.required || !s.loopback || !s.fromHere(r) {
		err = errNoToken()
	}
	switch {
	case err == nil:
		return Caller{Name: Local, Scopes: Scopes{ScopeAdmin}}, nil
	case forPages(r):
		return Caller{}, nil
	}
	return Caller{}, err
}

// nobody refuses everybody, since the tokens, the password or the sessions cannot be
// read. Why is for the log.
func (a *Access) nobody(err error) error {
	if minute := a.now().Unix() / 60; a.toldAt.Swap(minute) != minute { // or the log would be theirs to fill
		a.log.Error("nobody is let in", "error", err)
	}
	return &holdfast.Error{
		Op: "request", Err: kindf(ErrClosed, "nobody is let in: the tokens or the password cannot be read"),
		Hint: "the log of the daemon tells why",
	}
}

// forwarding are headers by which reverse proxies tell that they pass on what
// others have asked; so are all that begin with X-Forwarded-.
var forwarding = []string{
	"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Forwarded-For", "X-Original-Host",
	"True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip", "X-Envoy-External-Address",
}

// passedOn tells whether somebody says that he passes a request on for another.
func passedOn(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") || slices.Contains(forwarding, name) {
			return true
		}
	}
	return false
}

// fromHere tells whether a request that came in on loopback was made on this
// machine, as far as can be seen: the connection ends at a loopback address, it
// asks under a name of loopback and not under that of a reverse proxy, and nobody
// says that he passes it on.
func (s *settings) fromHere(r *http.Request) bool {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if at, err := netip.ParseAddrPort(local.String()); err == nil && !at.Addr().Unmap().IsLoopback() {
			return false
		}
	}
	if passedOn(r.Header) {
		return false
	}
	name := hostName(r.Host)
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || name == s.own || err == nil && addr.IsLoopback()
}

// tokenInQuery tells whether somebody put a token into the address.
func tokenInQuery(r *http.Request) bool {
	if r.URL.RawQuery == "" {
		return false
	}
	for key, values := range r.URL.Query() {
		switch strings.ToLower(key) {
		case "token", "access_token", "api_key", "apikey", "authorization":
			return true
		}
		if slices.ContainsFunc(values, looksLikeToken) {
			return true
		}
	}
	return false
}

// failed counts a refusal of a client: beyond some a minute it is told to wait.
func (a *Access) failed(rec *visit, err error) error {
	if wait, ok := a.failures.take(rec.client); !ok {
		return tooMany(wait, "too many requests without a good token", "wait, and use a good token")
	}
	return err
}

// tooManyError says when to come again.
type tooManyError struct {
	error
	wait time.Duration
}

func (e *tooManyError) Unwrap() error { return e.error }

func tooMany(wait time.Duration, why, hint string) error {
	return &tooManyError{wait: wait, error: &holdfast.Error{Op: "request", Err: holdfast.Kindf(ErrTooMany, "%s", why), Hint: hint}}
}

// turnAway answers a request that was not admitted.
func (a *Access) turnAway(w *answer, r *http.Request, rec *visit, err error) {
	// What is left of the body is nobody's: the connection ends rather than
	// that it is read.
	if r.ContentLength > MaxBody {
		w.Header().Set("Connection", "close")
	}
	status := a.refuseWith(w, r, err)
	a.audit.refused(rec.key, Entry{
		Caller: rec.caller.Name, Remote: r.RemoteAddr, Method: r.Method,
		Status: status, Outcome: Refused, Why: err.Error(),
	})
}

// refuseWith answers with a page where a reader asks for one, else with a problem.
func (a *Access) refuseWith(w *answer, r *http.Request, err error) int {
	refuse := *a.refuse.Load()
	if refuse == nil || !forPages(r) || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return WriteProblem(w, "", err)
	}
	status, _ := statusOf(err)
	headersOf(w.Header(), status, err)
	if !refuse(w, r, status, err) {
		return WriteProblem(w, "", err)
	}
	return w.code()
}

// close ends a visit: it contains a panic and writes the audit.
func (a *Access) close(w *answer, r *http.Request, rec *visit) {
	p := recover()
	if p != nil && p != http.ErrAbortHandler { //nolint:errorlint // net/http compares so, too
		a.log.Error("a request ended in a panic", "panic", fmt.Sprint(p), "route", r.Pattern, "op_id", rec.facts().Operation, "stack", string(debug.Stack()))
		if w.status == 0 {
			WriteProblem(w, rec.facts().Operation, errors.New("it met a fault of holdfast; its log tells more"))
			p = nil
		} else {
			p = http.ErrAbortHandler // so that the caller sees that the answer was cut
		}
	}
	a.settle(w, r, rec, p != nil)
	if p != nil {
		panic(p)
	}
}

// settle writes the audit line of a visit that has one.
func (a *Access) settle(w *answer, r *http.Request, rec *visit, cut bool) {
	n := rec.facts()
	e := Entry{
		Caller: rec.name(), Remote: r.RemoteAddr, Method: r.Method, Route: n.Route,
		Backup: n.Backup, Job: n.Job, Object: n.Object, Operation: n.Operation, Status: w.code(), Why: n.Why,
	}
	if e.Route == "" {
		e.Route = r.Pattern
	}
	switch refused := rec.refused() || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden; {
	case safe(r.Method) && !refused && !n.Disclosed:
		return
	case refused || e.Status >= http.StatusBadRequest && e.Status < http.StatusInternalServerError:
		e.Outcome = Refused
		a.audit.refused(rec.key, e) // what changes nothing must not push out what did
		return
	case cut || e.Status >= http.StatusInternalServerError:
		e.Outcome = Failed
	case n.Private || e.Caller == "": // nobody could change more than what his own browser keeps
		return
	default:
		e.Outcome = Done
	}
	a.audit.Record(e)
}

// retryAfter gives whole seconds, at least one.
func retryAfter(wait time.Duration) string {
	return strconv.Itoa(wholeSeconds(wait))
}

func wholeSeconds(wait time.Duration) int { return max(1, int((wait+time.Second-1)/time.Second)) }

// withVisit lets the handlers behind the door add to its record.
func withVisit(ctx context.Context, v *visit) context.Context {
	return context.WithValue(ctx, visitKey{}, v)
}
