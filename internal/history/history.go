// Package history remembers what happened when, longer than backups are kept: so many
// backups were made in this half hour, one failed in that, a run was missed, and so
// much was stored then.
//
// Start from [Open], whose [Recorder] the daemon tells of verbs that have ended
// ([Recorder.Observe]), of the backups that are there whoever made them
// ([Recorder.Fold]), of sizes ([Recorder.Sample]), and of the time that passes
// ([Recorder.Settle]), which finds the runs that were missed, also while no daemon ran.
// [Recorder.Log] gives what is known, and [Log.Days] folds it into the days of a reader.
//
// The record is made of sparse [Bucket]s of half an hour, for every time zone but few
// is so many of them away from UTC. It lies in one file of lines that is appended to and
// now and then written anew; a line that cannot be read is passed over. It is there to be
// looked at and nothing rests on it: what cannot be written is told in the log, and no
// verb fails.
package history

import (
	"maps"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Width is how long a bucket is.
const Width = 30 * time.Minute

// KeptDays is how many days are kept at least, of which most have few buckets.
const KeptDays = 400

// A Bucket is what happened within half an hour. It is told of nothing else: a half
// hour in which nothing happened has none.
type Bucket struct {
	// Start is when it began, a whole or half hour of UTC.
	Start holdfast.Time `json:"start"`
	// Made counts the backups that were made, by any program, by their triggers.
	Made map[holdfast.Trigger]int64 `json:"made,omitempty"`
	// Unchanged counts the checks that found nothing to back up.
	Unchanged int64 `json:"unchanged,omitempty"`
	// Failed counts the backups that failed; one that was interrupted did not.
	Failed int64 `json:"failed,omitempty"`
	// Missed counts the runs that the schedule asked for, and that nothing became of.
	Missed int64 `json:"missed,omitempty"`
	// Proven and Drilled count verifications and drills that backups stood, Disproven
	// those that they did not.
	Proven    int64 `json:"proven,omitempty"`
	Drilled   int64 `json:"drilled,omitempty"`
	Disproven int64 `json:"disproven,omitempty"`
	// Restored counts restores and rollbacks that succeeded.
	Restored int64 `json:"restored,omitempty"`
	// Size is what there was at its end; nil: the same as before.
	Size *Size `json:"size,omitempty"`
}

// A Size is how much there is at a moment.
type Size struct {
	Backups      int64 `json:"backups"`
	Records      int64 `json:"records"`       // in the newest backup
	LogicalBytes int64 `json:"logical_bytes"` // what all backups hold
	StoredBytes  int64 `json:"stored_bytes"`  // what they take
	// FreeBytes is the room that was left; nil: nobody knew.
	FreeBytes *int64 `json:"free_bytes,omitempty"`
}

// same tells whether nothing but the free room is another.
func (s *Size) same(other *Size) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.Backups == other.Backups && s.Records == other.Records && s.LogicalBytes == other.LogicalBytes && s.StoredBytes == other.StoredBytes
}

// Backups counts all that were made.
func (b *Bucket) Backups() (n int64) {
	for _, made := range b.Made {
		n += made
	}
	return n
}

// clone gives one that shares nothing.
func (b *Bucket) clone() Bucket {
	out := *b
	out.Made = maps.Clone(b.Made)
	if b.Size != nil {
		size := *b.Size
		out.Size = &size
	}
	return out
}

// atLeast raises the counts to those of other, and tells whether that changed any.
func (b *Bucket) atLeast(other *Bucket) (changed bool) {
	raise := func(to *int64, least int64) {
		if *to < least {
			*to, changed = least, true
		}
	}
	for trigger, n := range other.Made {
		if b.Made[trigger] < n {
			b.made(trigger, n-b.Made[trigger])
			changed = true
		}
	}
	raise(&b.Proven, other.Proven)
	raise(&b.Drilled, other.Drilled)
	raise(&b.Disproven, other.Disproven)
	return changed
}

// made counts backups.
func (b *Bucket) made(trigger holdfast.Trigger, n int64) {
	if b.Made == nil {
		b.Made = map[holdfast.Trigger]int64{}
	}
	b.Made[trigger] += n
}

// A Log is what is remembered of some time.
type Log struct {
	// Since is when the record was begun: of what was before, it knows the backups
	// that were still there, and neither failures nor missed runs.
	Since holdfast.Time `json:"since"`
	// Buckets are in the order of time.
	Buckets []Bucket `json:"buckets"`
}
