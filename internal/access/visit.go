package access

import (
	"cmp"
	"context"
	"net/http"
	"sync"
)

// Facts are what the audit tells of a request beside what the door sees. Only
// what is not empty counts.
type Facts struct {
	Route     string // the pattern, where the mux does not set it
	Backup    string
	Job       string
	Object    string // what else it is about
	Operation string
	Why       string // one line; without secrets
	// Disclosed tells that data was given away: that has a line, too, though it
	// changes nothing.
	Disclosed bool
	// Private tells that nothing is changed but what the caller's browser keeps: that
	// has no line.
	Private bool
}

// Note adds facts to the audit line of the request that ctx belongs to.
func Note(ctx context.Context, f Facts) {
	v, ok := ctx.Value(visitKey{}).(*visit)
	if !ok {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.noted = Facts{
		Route:  cmp.Or(f.Route, v.noted.Route),
		Backup: cmp.Or(f.Backup, v.noted.Backup), Job: cmp.Or(f.Job, v.noted.Job), Object: cmp.Or(f.Object, v.noted.Object),
		Operation: cmp.Or(f.Operation, v.noted.Operation), Why: cmp.Or(f.Why, v.noted.Why),
		Disclosed: f.Disclosed || v.noted.Disclosed, Private: f.Private || v.noted.Private,
	}
}

type visitKey struct{}

// visit is one request on its way through the door.
type visit struct {
	client string // the address
	key    string // of the caller, for limits: the token, or else the address
	caller Caller
	looks  bool // somebody looks at a page

	mu     sync.Mutex
	noted  Facts
	denied bool   // a scope was missing
	became string // the name of who has logged in meanwhile
}

func (v *visit) facts() Facts {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.noted
}

func (v *visit) refused() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.denied
}

// nameVisitor says who it is that has logged in by this request.
func nameVisitor(ctx context.Context, name string) {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.became = name
	}
}

// name is that of the caller, at the end of the request.
func (v *visit) name() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return cmp.Or(v.became, v.caller.Name)
}

// noteRefusal remembers that a scope was missing. Who is nobody yet and looks at a page
// is sent to the login, which is no refusal.
func noteRefusal(ctx context.Context) {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok && (v.caller.Name != "" || !v.looks) {
		v.mu.Lock()
		v.denied = true
		v.mu.Unlock()
	}
}

// answer remembers the status of an answer.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (a *answer) Flush() { _ = http.NewResponseController(a.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) code() int { return cmp.Or(a.status, http.StatusOK) }
