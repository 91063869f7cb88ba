package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/redact"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A Problem is the body of every response that tells a failure, as RFC 9457 has
// it, with the vocabulary of the exit codes beside.
type Problem struct {
	Type      string  `json:"type" doc:"Always about:blank; code tells the kind." example:"about:blank"`
	Title     string  `json:"title" doc:"The HTTP status in words." example:"Locked"`
	Status    int     `json:"status" doc:"The HTTP status." example:"423"`
	Code      string  `json:"code" enum:"failed,usage,incomplete,not_found,locked,damaged,refused,interrupted,unauthorized,forbidden,too_large,too_many" doc:"What kind of failure it is; branch on this."`
	Exit      int     `json:"exit" doc:"The exit status with which the command line tells the same." example:"11"`
	Detail    string  `json:"detail" doc:"One sentence for people; do not parse it."`
	Hint      string  `json:"hint,omitempty" doc:"What to do."`
	Cause     string  `json:"cause,omitempty" enum:"no_space,name_taken,in_use,read_only,denied,unreachable,losses" doc:"Why, where that is known more closely than the code tells."`
	Op        string  `json:"op,omitempty" doc:"What was being done."`
	Object    string  `json:"object,omitempty" doc:"To what."`
	Operation string  `json:"operation,omitempty" doc:"The id of the operation: that of its job and of its lines in the log."`
	Errors    []Fault `json:"errors,omitempty" doc:"If several things are wrong at once."`

	retryAfter int // seconds; zero: says nothing
}

// A Fault is one of several things that are wrong.
type Fault struct {
	Location string `json:"location,omitempty" doc:"Where in the request, such as body.trigger or query.limit."`
	Op       string `json:"op,omitempty" doc:"What was being done."`
	Object   string `json:"object,omitempty" doc:"To what."`
	Message  string `json:"message" doc:"What is wrong."`
	Hint     string `json:"hint,omitempty" doc:"What to do."`
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{"Cache-Control": {"no-store"}}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="holdfast"`)
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	return h
}

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// Codes that only a door has; the others are those of report.Code.
const (
	codeUnauthorized = "unauthorized"
	codeForbidden    = "forbidden"
	codeTooLarge     = "too_large"
	codeTooMany      = "too_many"
)

// lockedRetry is after how many seconds somebody who found the repository in use
// may look again.
const lockedRetry = 10

// statuses maps the exit codes to HTTP statuses.
var statuses = map[int]int{
	holdfast.ExitFailed:      http.StatusInternalServerError,
	holdfast.ExitUsage:       http.StatusBadRequest,
	holdfast.ExitIncomplete:  http.StatusInternalServerError,
	holdfast.ExitNotFound:    http.StatusNotFound,
	holdfast.ExitLocked:      http.StatusLocked,
	holdfast.ExitDamaged:     http.StatusInternalServerError,
	holdfast.ExitRefused:     http.StatusConflict,
	holdfast.ExitInterrupted: http.StatusServiceUnavailable,
}

// newProblem makes a problem of a status, and of an exit code of the vocabulary.
func newProblem(status, exit int, detail, hint string) *Problem {
	p := &Problem{
		Type: "about:blank", Title: cmp.Or(http.StatusText(status), "Error"), Status: status,
		Code: report.Code(exit), Exit: exit, Detail: redact.Text(detail), Hint: redact.Text(hintFor(hint)),
	}
	switch status {
	case http.StatusUnauthorized:
		p.Code = codeUnauthorized
	case http.StatusForbidden:
		p.Code = codeForbidden
	case http.StatusRequestEntityTooLarge:
		p.Code = codeTooLarge
	case http.StatusTooManyRequests:
		p.Code = codeTooMany
	case http.StatusLocked:
		p.retryAfter = lockedRetry
	}
	return p
}

// ProblemOf is how every failure of a request is told, for the pages, which show the
// same to people.
func ProblemOf(ctx context.Context, err error) *Problem { return problemOf(ctx, err) }

// problemOf is how every failure of a request is told. What went wrong inside,
// beyond what holdfast has words for, stays in the log under the operation's id.
func problemOf(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if status, code, known := access.Status(err); known {
		p := newProblem(status, holdfast.ExitCode(err), err.Error(), holdfast.HintOf(err))
		p.Code = code
		return p
	}
	exit := holdfast.ExitCode(err)
	if errors.Is(err, context.DeadlineExceeded) {
		exit = holdfast.ExitInterrupted
	}
	if exit == holdfast.ExitFailed && !worded(err) {
		p := newProblem(http.StatusInternalServerError, exit, "the request could not be answered", "the log of holdfast serve says more")
		p.Operation = holdfast.OperationOf(ctx)
		return p
	}
	return problemOfReport(report.NewError("", exit, err), holdfast.OperationOf(ctx))
}

// problemOfReport tells a failure that was reported by a job.
func problemOfReport(e report.Error, operation string) *Problem {
	p := newProblem(cmp.Or(statuses[e.Exit], http.StatusInternalServerError), e.Exit, e.Message, e.Hint)
	p.Op, p.Object, p.Operation = e.Op, redact.Text(e.Object), operation
	p.Cause = string(e.Cause)
	for _, part := range e.Errors {
		p.Errors = append(p.Errors, Fault{
			Op: part.Op, Object: redact.Text(part.Object), Message: redact.Text(part.Message), Hint: redact.Text(hintFor(part.Hint)),
		})
	}
	return p
}

// worded tells whether holdfast has words for an error: somewhere in it is what
// was done, to what.
func worded(err error) bool {
	_, ok := errors.AsType[*holdfast.Error](err)
	return ok
}

// usagef is a request that cannot be answered as it is.
func usagef(object, detail, hint string) error {
	return &holdfast.Error{Op: "request", Object: object, Err: holdfast.Kindf(holdfast.ErrUsage, "%s", detail), Hint: hint}
}

// ofHuma makes a problem of what the framework found wrong with a request.
func ofHuma(status int, msg string, errs ...error) huma.StatusError {
	for _, err := range errs {
		if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return tooLarge(tooLong.Limit)
		}
		if p, ok := errors.AsType[*Problem](err); ok {
			return p
		}
	}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return tooLarge(limitIn(msg))
	case status == http.StatusInternalServerError && msg == "cannot read request body":
		return newProblem(http.StatusBadRequest, holdfast.ExitUsage, "the body of the request ended too early", "")
	case status >= http.StatusInternalServerError:
		return newProblem(status, holdfast.ExitFailed, "the request could not be answered", "the log of holdfast serve says more")
	}
	p := newProblem(status, holdfast.ExitUsage, requestWords(status, msg), "the OpenAPI document at "+Root+"/openapi.json tells what is understood")
	for _, err := range errs {
		p.Errors = append(p.Errors, faultOf(err))
	}
	return p
}

// faultOf tells one thing that does not fit the schema. What the client sent is
// not sent back: it may hold a secret.
func faultOf(err error) Fault {
	detailer, ok := err.(huma.ErrorDetailer)
	if !ok {
		return Fault{Message: redact.Text(err.Error())}
	}
	d := detailer.ErrorDetail()
	message := d.Message
	if d.Location == "body" && !fromSchema(message) {
		message = "not JSON that can be read: " + strings.TrimPrefix(message, "json: ")
	}
	return Fault{Location: d.Location, Message: redact.Text(message)}
}

// fromSchema tells the messages of a schema from those of a JSON reader.
func fromSchema(message string) bool {
	return strings.HasPrefix(message, "expected ") || strings.HasPrefix(message, "unexpected property")
}

func requestWords(status int, msg string) string {
	switch status {
	case http.StatusBadRequest:
		return "the request cannot be read: " + msg
	case http.StatusUnprocessableEntity:
		return "the request does not fit what is understood here"
	case http.StatusRequestTimeout:
		return "the body of the request did not come in time"
	case http.StatusUnsupportedMediaType:
		return "the body of the request must be application/json"
	}
	return msg
}

// limitIn takes the limit of a body out of the words of the framework, which are all that
// it tells; its limit is one byte above ours.
func limitIn(msg string) int64 {
	var limit int64
	if n, err := fmt.Sscanf(msg, "request body is too large limit=%d bytes", &limit); n != 1 || err != nil {
		return maxBody
	}
	return limit - 1
}

func tooLarge(limit int64) *Problem {
	return newProblem(http.StatusRequestEntityTooLarge, holdfast.ExitUsage,
		"the body of the request is larger than "+strconv.FormatInt(limit, 10)+" bytes", "")
}
