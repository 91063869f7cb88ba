package holdfast

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The vocabulary of failure. Every surface translates these, none reads error
// texts. ExitCode maps them to exit codes.
var (
	ErrUsage      = errors.New("wrong usage")
	ErrIncomplete = errors.New("incomplete")
	ErrNotFound   = errors.New("not found")
	ErrLocked     = errors.New("locked")
	ErrDamaged    = errors.New("damaged")
	ErrRefused    = errors.New("refused")
)

// Exit codes of the command line; also the vocabulary of the HTTP API.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitIncomplete  = 3
	ExitNotFound    = 10
	ExitLocked      = 11
	ExitDamaged     = 12
	ExitRefused     = 13
	ExitInterrupted = 130
)

// ExitCode maps an error to the exit code that tells it.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.Is(err, ErrUsage):
		return ExitUsage
	case errors.Is(err, ErrRefused):
		return ExitRefused
	case errors.Is(err, ErrDamaged):
		return ExitDamaged
	case errors.Is(err, ErrLocked):
		return ExitLocked
	case errors.Is(err, ErrNotFound):
		return ExitNotFound
	case errors.Is(err, ErrIncomplete):
		return ExitIncomplete
	}
	return ExitFailed
}

// An Error says what failed, on which object, and what to do. Each layer adds
// its operation and object once.
type Error struct {
	Op     string // "restore", "capture", "open repository"
	Object string // path, backup or source
	Err    error
	Hint   string // what to do; shown on a line of its own, not in Error
	Cause  Cause  // why, where that has words of its own; not in Error
}

// Error gives "op object: cause".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Object != "" {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(e.Object)
	}
	if e.Err != nil {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// HintOf finds the innermost hint in err, the one nearest to the cause.
func HintOf(err error) string {
	hint := ""
	for {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return hint
		}
		if e.Hint != "" {
			hint = e.Hint
		}
		err = e.Err
	}
}

// Parts splits errors that were joined as equals, so that each can be told with
// its own hint.
func Parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	texts := make([]string, 0, 2)
	for _, part := range joined.Unwrap() {
		out = append(out, Parts(part)...)
		texts = append(texts, part.Error())
	}
	// Other errors with several causes have a text of their own.
	if strings.Join(texts, "\n") != err.Error() {
		return []error{err}
	}
	return out
}

// Kindf makes an error of one kind of the vocabulary with a text of its own:
// it matches kind with errors.Is, but its text is only the message.
func Kindf(kind error, format string, args ...any) error {
	return &kindError{kind: kind, err: fmt.Errorf(format, args...)}
}

type kindError struct{ kind, err error }

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

// A LockedError says who holds the repository. It matches ErrLocked.
type LockedError struct {
	Object string
	Owner  Owner
}

// Error tells owner and age.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is in use by %s", e.Object, e.Owner)
}

// Is matches ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Owner tells who holds a lock.
type Owner struct {
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Purpose string    `json:"purpose"`
	Since   time.Time `json:"since"`
}

// String names the owner for people.
func (o Owner) String() string {
	if o.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d on %s (%s, since %s)", o.PID, o.Host, o.Purpose, o.Since.UTC().Format(time.RFC3339))
}

// A DamagedError names the files that do not hold what was recorded. It
// matches ErrDamaged.
type DamagedError struct {
	Backup   BackupName
	Problems []Problem
}

// Error names the first damaged object and counts the rest.
func (e *DamagedError) Error() string {
	if len(e.Problems) == 0 {
		return fmt.Sprintf("backup %s is damaged", e.Backup)
	}
	p := e.Problems[0]
	s := fmt.Sprintf("backup %s is damaged: %s: %s", e.Backup, p.Object, p.Message)
	if n := len(e.Problems) - 1; n > 0 {
		s += fmt.Sprintf(" (and %d more)", n)
	}
	return s
}

// Is matches ErrDamaged.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }
