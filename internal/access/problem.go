package access

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/holdfast-backup/holdfast"
)

// Problem is the body of a refusal, as RFC 9457 (application/problem+json) has
// it; the fields are those of every error of the API.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Exit      int    `json:"exit"`
	Hint      string `json:"hint,omitempty"`
	Op        string `json:"op,omitempty"`
	Object    string `json:"object,omitempty"`
	Operation string `json:"operation,omitempty"`
}

// WriteProblem answers with an error that the door met, and gives its status.
func WriteProblem(w http.ResponseWriter, operation string, err error) int {
	p := Problem{Type: "about:blank", Exit: holdfast.ExitCode(err), Detail: err.Error(), Hint: holdfast.HintOf(err), Operation: operation}
	if e, ok := errors.AsType[*holdfast.Error](err); ok {
		p.Op, p.Object = e.Op, e.Object
		if e.Err != nil {
			p.Detail = e.Err.Error()
		}
	}
	p.Status, p.Code = statusOf(err)
	p.Title = http.StatusText(p.Status)
	h := w.Header()
	headersOf(h, p.Status, err)
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever asked has left if this fails
	return p.Status
}

// statusOf gives the HTTP status and the word for an error that the door met.
func statusOf(err error) (status int, code string) {
	status, code, known := Status(err)
	switch {
	case known:
		return status, code
	case errors.Is(err, holdfast.ErrUsage):
		return http.StatusBadRequest, "usage"
	}
	return http.StatusInternalServerError, "failed"
}

// headersOf sets what an error tells in the head of its answer.
func headersOf(h http.Header, status int, err error) {
	h.Del("ETag")
	h.Set("Cache-Control", "no-store")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="holdfast"`)
	}
	if again, ok := errors.AsType[*tooManyError](err); ok {
		h.Set("Retry-After", retryAfter(again.wait))
	}
}
