package holdfast

import (
	"errors"
	"io/fs"
	"net"
	"syscall"
)

// A Cause names why something failed where that is known more closely than its kind in
// the vocabulary tells, so that people can be told in their own language.
type Cause string

// The causes that have words of their own.
const (
	CauseNoSpace     Cause = "no_space"    // what is to be written does not fit
	CauseNameTaken   Cause = "name_taken"  // there is a backup of that name
	CauseInUse       Cause = "in_use"      // processes have the data open
	CauseReadOnly    Cause = "read_only"   // the file system takes no writes
	CauseDenied      Cause = "denied"      // the operating system forbids it
	CauseUnreachable Cause = "unreachable" // another machine does not answer
	CauseLosses      Cause = "losses"      // the store cannot keep all of what comes
)

// Causes are all of them.
func Causes() []Cause {
	return []Cause{CauseNoSpace, CauseNameTaken, CauseInUse, CauseReadOnly, CauseDenied, CauseUnreachable, CauseLosses}
}

// CauseOf finds the cause of err: the one that an Error in it names, or what the
// operating system said; empty if neither tells.
func CauseOf(err error) Cause {
	for rest := err; ; {
		e, ok := errors.AsType[*Error](rest)
		if !ok {
			break
		}
		if e.Cause != "" {
			return e.Cause
		}
		rest = e.Err
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return CauseNoSpace
	case errors.Is(err, syscall.EROFS):
		return CauseReadOnly
	case errors.Is(err, fs.ErrPermission):
		return CauseDenied
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return CauseUnreachable
	}
	return ""
}
