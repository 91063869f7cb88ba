package report

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
)

// Error ends a command that failed, on standard error, or a job.
type Error struct {
	Type    string `json:"type"` // error
	Command string `json:"command"`
	Code    string `json:"code"`
	Exit    int    `json:"exit"`
	Op      string `json:"op,omitempty"`
	Object  string `json:"object,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Cause is why, where that is known more closely than the code tells.
	Cause  holdfast.Cause `json:"cause,omitempty"`
	Errors []ErrorDetail  `json:"errors,omitempty"` // if there are several
}

// ErrorDetail is one of several errors.
type ErrorDetail struct {
	Op      string `json:"op,omitempty"`
	Object  string `json:"object,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// codes are the exit codes as words of the contract.
var codes = map[int]string{
	holdfast.ExitFailed:      "failed",
	holdfast.ExitUsage:       "usage",
	holdfast.ExitIncomplete:  "incomplete",
	holdfast.ExitNotFound:    "not_found",
	holdfast.ExitLocked:      "locked",
	holdfast.ExitDamaged:     "damaged",
	holdfast.ExitRefused:     "refused",
	holdfast.ExitInterrupted: "interrupted",
}

// Code is an exit code as a word of the contract; empty for success and for
// codes that are none of ours.
func Code(exit int) string { return codes[exit] }

// NewError tells of an error that ended a command with an exit code.
func NewError(command string, exit int, err error) Error {
	o := Error{Type: "error", Command: command, Code: Code(exit), Exit: exit}
	o.Op, o.Object = OpAndObject(err)
	o.Cause = holdfast.CauseOf(err)
	all := holdfast.Parts(err)
	o.Message, o.Hint = Text(all[0]), Hint(all[0])
	if len(all) > 1 {
		o.Errors = NewErrorDetails(err)
	}
	return o
}

// NewErrorDetails tells of each of several errors that were joined as equals.
func NewErrorDetails(err error) []ErrorDetail {
	var details []ErrorDetail
	for _, part := range holdfast.Parts(err) {
		op, object := OpAndObject(part)
		details = append(details, ErrorDetail{Op: op, Object: object, Message: Text(part), Hint: Hint(part)})
	}
	return details
}

// An Aftermath is an error that also tells how it left things: "the previous
// state is back in place". The words stand behind the text that [Text] gives.
type Aftermath struct {
	Err   error
	Words string
}

// Error gives the text of the error alone.
func (e *Aftermath) Error() string { return e.Err.Error() }

// Unwrap gives the error.
func (e *Aftermath) Unwrap() error { return e.Err }

// Text is the message of an error; an interruption is named as what it is.
func Text(err error) string {
	text := err.Error()
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	if left, ok := errors.AsType[*Aftermath](err); ok {
		text += "; " + left.Words
	}
	return text
}

// Hint is the hint of an error, or one for its kind if it carries none.
func Hint(err error) string {
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

// OpAndObject finds the outermost operation and object that an error names.
func OpAndObject(err error) (op, object string) {
	if e, ok := errors.AsType[*holdfast.Error](err); ok {
		return e.Op, e.Object
	}
	return "", ""
}
