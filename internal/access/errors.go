package access

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/holdfast-backup/holdfast"
)

// What is refused at the door, beside the vocabulary of package holdfast. All
// but ErrTooMany and ErrTooLarge match holdfast.ErrRefused as well, so that a
// surface without a word of its own tells the right exit code.
var (
	ErrUnauthorized = errors.New("unauthorized")
	ErrForbidden    = errors.New("forbidden")
	ErrTooMany      = errors.New("too many requests")
	ErrTooLarge     = errors.New("too large")
	// ErrClosed is an ErrUnauthorized that nobody can do anything about but who
	// keeps the machine: what is needed to know anybody cannot be read.
	ErrClosed = fmt.Errorf("closed: %w", ErrUnauthorized)
)

// kindf makes a refusal of one kind.
func kindf(kind error, format string, args ...any) error {
	return holdfast.Kindf(refusal{kind}, format, args...)
}

// refusal is one kind and holdfast.ErrRefused at once.
type refusal struct{ kind error }

func (r refusal) Error() string   { return r.kind.Error() }
func (r refusal) Unwrap() []error { return []error{r.kind, holdfast.ErrRefused} }

// Status gives the HTTP status and the word for an error of this package; false
// for any other.
func Status(err error) (status int, code string, known bool) {
	switch {
	case errors.Is(err, ErrUnauthorized):
		return http.StatusUnauthorized, "unauthorized", true
	case errors.Is(err, ErrForbidden):
		return http.StatusForbidden, "forbidden", true
	case errors.Is(err, ErrTooMany):
		return http.StatusTooManyRequests, "too_many", true
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge, "too_large", true
	}
	return 0, "", false
}

func errNoToken() error {
	return &holdfast.Error{
		Op: "request", Err: kindf(ErrUnauthorized, "this needs a token"),
		Hint: "send Authorization: Bearer TOKEN; `holdfast token create` makes one",
	}
}

// errBadToken does not say what is wrong with a token, save to whoever has one
// that was good: its secret is known to be right.
func errBadToken() error {
	return &holdfast.Error{
		Op: "request", Err: kindf(ErrUnauthorized, "the token is not valid"),
		Hint: "`holdfast token list` shows those that are; `holdfast token create` makes another one",
	}
}
