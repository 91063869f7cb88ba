package cli

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
)

// backInPlace is a restore that failed after it had begun to replace, and put
// the previous state back.
type backInPlace struct{ err error }

func (e *backInPlace) Error() string { return e.err.Error() }
func (e *backInPlace) Unwrap() error { return e.err }

// errorText is the message; an interruption is named as what it is.
func errorText(err error) string {
	text := err.Error()
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	if _, ok := errors.AsType[*backInPlace](err); ok {
		text += "; the previous state is back in place"
	}
	if _, ok := errors.AsType[*notRun](err); ok {
		text += "; the command was not run"
	}
	return text
}

// hintOf is the hint of an error, or one for its kind if it carries none.
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

// retold is a text of the same kind as err, without its hint.
func retold(err error, text string) error {
	for _, kind := range []error{
		context.Canceled, holdfast.ErrUsage, holdfast.ErrRefused, holdfast.ErrDamaged, holdfast.ErrLocked, holdfast.ErrNotFound, holdfast.ErrIncomplete,
	} {
		if errors.Is(err, kind) {
			return holdfast.Kindf(kind, "%s", text)
		}
	}
	return errors.New(text)
}
