package site

import (
	"cmp"
	"net/http"
	"net/url"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/redact"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// A Failure is what a page of failure shows: the kind in the reader's words, and in
// those of the engine what happened to what.
type Failure struct {
	Status    int
	Code      string // of the vocabulary: not_found, locked …
	Cause     holdfast.Cause
	Words     string // the id of the title, and with .todo of what to do; of Code if it is empty
	Object    string
	Message   string // English
	Hint      string // English
	Operation string // under which the log tells more
	Retry     bool   // to try again may help
}

// title is the id of the title.
func (f Failure) title() string { return cmp.Or(f.Words, ui.FailureID(f.Code, f.Cause)) }

// fail answers with the failure of a visit: a page, or for a part of a page that part.
// Who has not said who he is goes to the login first.
func (v *Visit) fail(err error) {
	p := api.ProblemOf(v.Context(), err)
	if p.Status == http.StatusUnauthorized {
		_ = v.Redirect("/login?next=" + url.QueryEscape(v.next()))
		return
	}
	if p.Status >= http.StatusInternalServerError {
		v.Site.Logger.ErrorContext(v.Context(), "a page could not be shown", "path", v.R.URL.Path, "error", redact.Text(err.Error()))
	}
	f := Failure{
		Status: p.Status, Code: p.Code, Cause: holdfast.Cause(p.Cause), Object: p.Object, Message: p.Detail,
		Hint: redact.Text(report.Hint(err)), Operation: cmp.Or(p.Operation, holdfast.OperationOf(v.Context())),
	}
	f.Retry = p.Status == http.StatusLocked || p.Status >= http.StatusInternalServerError || p.Status == http.StatusTooManyRequests
	v.failWith(f)
}

// next is the page to which a login leads: the one that was asked for, or the one
// with the form that was sent.
func (v *Visit) next() string {
	if v.R.Method == http.MethodGet && !v.Fragment() {
		return Local(v.R.URL.RequestURI(), "/")
	}
	return v.back("/")
}

// noPage is the failure of a path at which nothing is.
func (v *Visit) noPage() Failure {
	return Failure{Status: http.StatusNotFound, Code: report.Code(holdfast.ExitNotFound), Words: "site.no_page", Object: v.R.URL.Path}
}

// noMethod is the failure of a page that cannot be posted to, or an action that cannot
// be looked at.
func (v *Visit) noMethod() Failure {
	return Failure{Status: http.StatusMethodNotAllowed, Code: report.Code(holdfast.ExitUsage), Words: "site.no_method", Object: v.R.URL.Path}
}

// failWith answers with a failure.
func (v *Visit) failWith(f Failure) {
	p := v.page("", v.L.T(f.title()))
	var err error
	if v.Fragment() {
		err = v.Render(f.Status, FailurePart(p, f))
	} else {
		err = v.Render(f.Status, FailureView(p, f))
	}
	if err != nil {
		v.Site.Logger.ErrorContext(v.Context(), "a page of failure could not be written", "error", err)
		http.Error(v.W, http.StatusText(f.Status), f.Status)
	}
}

// Refuse answers with a page who was turned away at the door; false if it is no page
// that was asked for. The status is that of the error.
func (s *Site) Refuse(w http.ResponseWriter, r *http.Request, _ int, err error) bool {
	if !api.ForPages(r) {
		return false
	}
	Protected(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.visit(w, r).fail(err) })).ServeHTTP(w, r)
	return true
}

// tone is how bad a failure is.
func (f Failure) tone() ui.Tone {
	if f.Status < http.StatusInternalServerError || f.Status == http.StatusServiceUnavailable {
		return ui.Warn
	}
	return ui.Bad
}
