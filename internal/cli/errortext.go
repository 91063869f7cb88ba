package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// parts splits errors that were joined as equals, so that each is told with
// its own hint.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	texts := make([]string, 0, 2)
	for _, part := range joined.Unwrap() {
		out = append(out, parts(part)...)
		texts = append(texts, part.Error())
	}
	// Other errors with several causes have a text of their own.
	if strings.Join(texts, "\n") != err.Error() {
		return []error{err}
	}
	return out
}

// errorText is the message; an interruption is named as what it is.
func errorText(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return err.Error()
}

// hints for errors that carry none of their own.
func hintOf(err error) string {
	if hint := holdfast.HintOf(err); hint != "" {
		return hint
	}
	switch {
	case errors.Is(err, context.Canceled):
		return ""
	case errors.Is(err, holdfast.ErrDamaged):
		return "`holdfast list` shows other backups; `holdfast verify --all` tells which are good"
	case errors.Is(err, holdfast.ErrLocked):
		return "wait until it has ended, or stop it"
	}
	return ""
}

// opAndObject finds the outermost operation and object that are named.
func opAndObject(err error) (op, object string) {
	if e, ok := errors.AsType[*holdfast.Error](err); ok {
		return e.Op, e.Object
	}
	return "", ""
}
