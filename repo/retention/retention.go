// Package retention decides which backups may go. It is pure: backups, policy
// and the present time in; a decision with a reason for each out. It never
// lets go of the last backup, nor of the last proven one.
package retention

import (
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Policy says how long backups are kept.
type Policy struct {
	// MaxAge lets backups go that are older; zero keeps all.
	MaxAge time.Duration
}

// A Candidate is a backup as retention sees it.
type Candidate struct {
	Name      holdfast.BackupName
	CreatedAt time.Time
	Trigger   holdfast.Trigger
	Pinned    bool
	Proven    bool // its newest proof passed
	Damaged   bool // the captured source was damaged, or its metadata is unreadable
	NeededBy  []holdfast.BackupName
}

// A Decision says whether a backup stays, and why.
type Decision struct {
	Candidate
	Remove bool
	// Reason in plain words: "older than 7 days", "pinned", "the last proven backup".
	Reason string
}

// Plan decides for every backup, newest first.
func Plan(backups []Candidate, p Policy, now time.Time) []Decision { panic("skeleton") }
