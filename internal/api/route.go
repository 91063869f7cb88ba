package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
)

// A route is one operation of the API as the document shows it.
type route struct {
	id          string // stable: clients are generated from it
	method      string
	path        string // below Root
	tag         string
	summary     string
	description string
	// scopes are those of which a caller needs one; none: any caller will do.
	scopes []access.Scope
	status int // of success
	// also are further answers that are no failures; one of the status above
	// describes that.
	also map[int]answer
	// errors are the failures that this operation can end with, beside those of
	// every operation.
	errors []int
	// maxBody is how large the body may be; zero: as large as that of most.
	maxBody int64
	// openBody takes a body with fields that nobody here knows: it is somebody else's.
	openBody bool
	// produces is what a success is, if it is not JSON.
	produces []string
}

// An answer is one of several that an operation has.
type answer struct {
	words string
	body  reflect.Type // nil: that of the success, or none at all
}

// everywhere are the failures of every operation.
var everywhere = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotAcceptable, http.StatusConflict,
	http.StatusRequestURITooLong, http.StatusUnprocessableEntity, http.StatusLocked, http.StatusTooManyRequests,
	http.StatusInternalServerError, http.StatusServiceUnavailable,
}

// bearer is the name of the security scheme.
const bearer = "token"

// add makes an operation answer. The caller's scope is looked at before anything of
// the request is read.
func add[I, O any](s *server, r route, answer func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: Root + r.path, Tags: []string{r.tag},
		Summary: r.summary, Description: describe(r), DefaultStatus: r.status,
		MaxBodyBytes: cmp.Or(r.maxBody, maxBody) + 1, BodyReadTimeout: s.o.Patience, Errors: slices.Concat(everywhere, r.errors),
		Extensions: map[string]any{"x-scope": scopeWords(r.scopes)},
		Responses:  map[string]*huma.Response{},
	}
	if r.method != http.MethodGet {
		op.Errors = append(op.Errors, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	slices.Sort(op.Errors)
	op.Errors = slices.Compact(op.Errors)
	for _, scope := range r.scopes {
		op.Security = append(op.Security, map[string][]string{bearer: {string(scope)}})
	}
	accepts := "application/json"
	if r.produces != nil {
		accepts = strings.Join(r.produces, ", ")
		content := map[string]*huma.MediaType{}
		for _, kind := range r.produces {
			content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
		}
		op.Responses["200"] = &huma.Response{Description: "The stream.", Content: content}
	}
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		req, w := humago.Unwrap(ctx)
		if p := s.mayAsk(ctx, r.scopes, accepts); p != nil {
			writeProblem(w, req, p)
			return
		}
		ctx.SetHeader("Cache-Control", "no-store")
		next(huma.WithValue(ctx, connectionKey{}, http.NewResponseController(w)))
	}}
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*O, error) {
		inNoHurry(ctx)
		asking := ctx
		if r.method == http.MethodGet && r.produces == nil {
			var cancel context.CancelFunc
			asking, cancel = context.WithTimeoutCause(ctx, s.o.Answer, errSlow)
			defer cancel()
		}
		out, err := answer(asking, in)
		if err != nil && ctx.Err() == nil && context.Cause(asking) == errSlow {
			err = errSlow
		}
		if err != nil {
			return nil, s.told(ctx, r.id, err)
		}
		return out, nil
	})
	s.document(r)
}

// errSlow is the failure of a request that waited too long for something behind the daemon.
var errSlow error = &holdfast.Error{
	Op: "look up", Object: "repository", Err: errors.New("no answer in time"), Hint: "GET " + Root + "/status says whether it can be reached",
}

// connectionKey finds the connection of a request.
type connectionKey struct{}

// inNoHurry takes the time limit off that the client had to send its request: where there
// was no body, net/http takes a limit that passes later for a client that is gone.
func inNoHurry(ctx context.Context) {
	if c, ok := ctx.Value(connectionKey{}).(*http.ResponseController); ok {
		_ = c.SetReadDeadline(time.Time{}) // a connection without limits has none to take off
	}
}

// mayAsk refuses a caller without a scope, and one who would not take the answer.
func (s *server) mayAsk(ctx huma.Context, scopes []access.Scope, produces string) *Problem {
	if len(scopes) > 0 {
		if err := s.o.Access.Allow(ctx.Context(), scopes...); err != nil {
			return problemOf(ctx.Context(), err)
		}
	}
	if !accepts(ctx.Header("Accept"), produces) {
		return newProblem(http.StatusNotAcceptable, holdfast.ExitUsage, "the answer is "+produces+", which the request does not accept", "send Accept: "+produces)
	}
	return nil
}

// accepts tells whether an Accept header takes one of the types that are offered.
func accepts(header, offered string) bool {
	if header == "" {
		return true
	}
	for one := range strings.SplitSeq(header, ",") {
		kind, params, _ := strings.Cut(one, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			if weight, err := strconv.ParseFloat(q, 64); err == nil && weight == 0 {
				continue
			}
		}
		for offer := range strings.SplitSeq(offered, ", ") {
			whole, _, _ := strings.Cut(offer, "/")
			if kind == "*/*" || kind == offer || kind == whole+"/*" {
				return true
			}
		}
	}
	return false
}

// told makes a problem of an error, and writes into the log what the client is
// not told.
func (s *server) told(ctx context.Context, operation string, err error) error {
	p := problemOf(ctx, err)
	if p.Status == http.StatusInternalServerError && p.Operation != "" {
		s.log.Error("a request failed", "request", operation, "op_id", p.Operation, "error", err)
	}
	return p
}

// document notes what the framework cannot know: further kinds of success, and that
// a body with fields that nobody knows is refused.
func (s *server) document(r route) {
	op := s.operation(r.method, Root+r.path)
	success := op.Responses[strconv.Itoa(op.DefaultStatus)]
	for status, a := range r.also {
		other := &huma.Response{Description: a.words, Headers: success.Headers}
		switch {
		case a.body == nil && status != http.StatusNotModified && status != http.StatusNoContent:
			other.Content = success.Content
		case a.body != nil:
			other.Content = map[string]*huma.MediaType{"application/json": {Schema: s.schema(a.body)}}
		}
		op.Responses[strconv.Itoa(status)] = other
	}
	if op.RequestBody == nil || r.openBody {
		return
	}
	schema := op.RequestBody.Content["application/json"].Schema
	if schema.Ref != "" {
		schema = s.huma.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	schema.AdditionalProperties = false
	schema.PrecomputeMessages()
}

// schema gives the schema of a type in the document.
func (s *server) schema(t reflect.Type) *huma.Schema {
	return s.huma.OpenAPI().Components.Schemas.Schema(t, true, "")
}

func schemaOf[T any](s *server) *huma.Schema { return s.schema(reflect.TypeFor[T]()) }

// operation finds an operation in the document.
func (s *server) operation(method, path string) *huma.Operation {
	item := s.huma.OpenAPI().Paths[path]
	switch method {
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodPatch:
		return item.Patch
	case http.MethodDelete:
		return item.Delete
	}
	return item.Get
}

func describe(r route) string {
	words := "Needs no scope: any caller may."
	if len(r.scopes) > 0 {
		words = "Needs the scope " + strings.ReplaceAll(scopeWords(r.scopes), ",", " or ") + "."
	}
	return strings.TrimSpace(r.description + "\n\n" + words)
}

func scopeWords(scopes []access.Scope) string {
	words := make([]string, len(scopes))
	for i, one := range scopes {
		words[i] = string(one)
	}
	return strings.Join(words, ",")
}
