package engine

import (
	"context"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// An Around is told before and after each backup, restore and rollback: hooks,
// webhooks, a dead man's switch. The emergency backup of a restore, and a restore
// into a directory of its own, are no business of it.
type Around interface {
	// Before is called before anything is done. An error keeps the verb from being
	// begun.
	Before(ctx context.Context, v Verb) error
	// After is called when the verb has ended, whatever became of it, with a context
	// that outlives the interruption of the verb for a moment. What fails here
	// changes nothing of what was done.
	After(ctx context.Context, v Verb) []holdfast.Problem
}

// A Verb is what is about to be done, or was.
type Verb struct {
	Op        string // backup, restore, rollback
	Operation string // its id in the log
	Trigger   holdfast.Trigger
	// Backup is what was made, or is restored; empty while that is not known.
	Backup  holdfast.BackupName
	Sources []string
	Begun   time.Time

	// After only:

	Duration  time.Duration
	Unchanged bool // nothing had changed, so that no backup was made
	Stored    int64
	// Err is why it failed; a verb that ended with problems did not.
	Err      error
	Problems []holdfast.Problem
}
