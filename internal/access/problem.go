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
	var known bool
	if p.Status, p.Code, known = Status(err); !known {
		p.Status, p.Code = http.StatusInternalServerError, "failed"
		if errors.Is(err, holdfast.ErrUsage) {
			p.Status, p.Code = http.StatusBadRequest, "usage"
		}
	}
	p.Title = http.StatusText(p.Status)
	h := w.Header()
	h.Del("ETag")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="holdfast"`)
	}
	if again, ok := errors.AsType[*tooManyError](err); ok {
		h.Set("Retry-After", retryAfter(again.wait))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever asked has left if this fails
	return p.Status
}
