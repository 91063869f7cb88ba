// Package job runs work that outlives whoever asked for it: a job has an id, tells
// its progress, can be cancelled, and leaves a result that is still there when the
// connection is closed and the daemon was started anew. What the work is, it does not
// know.
//
// Start from [Open], then [Runner.Settle] for what an earlier process left,
// [Runner.Start] to begin work, [Runner.Events] to follow it.
//
// What it promises:
//
//   - A record of the job is on the disk before the work begins, and how it ended is
//     there before anybody is told. A job that a dead process left behind is looked
//     into at the next start, and its Outcome says what became of it.
//   - Whoever reads events never keeps the work waiting. He may come back later and go
//     on from the last event that he has seen. Progress is thinned out, changes of
//     steps and the end are not.
//   - The same idempotency key with the same request gives the same job, for as long as
//     jobs are kept, also after a restart.
//   - A record that cannot be read is passed over with a warning.
//
// The ideas lie in files of their own: id.go (names), store.go (records on the disk),
// start.go and lane.go (what may begin), run.go (one job from its beginning to its
// end), events.go, ring.go and thin.go (its news), settle.go (what a dead process
// left), keep.go (how long jobs are kept), list.go (looking them up), close.go.
//
// One process at a time may use a directory; the lock of the daemon sees to that.
package job

import (
	"encoding/json"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// State tells how far a job is.
type State string

// The states of a job.
const (
	Queued      State = "queued"
	Running     State = "running"
	Succeeded   State = "succeeded"
	Incomplete  State = "incomplete" // a part of it was done, and the result says which
	Failed      State = "failed"
	Cancelled   State = "cancelled"   // ended because somebody asked for that
	Interrupted State = "interrupted" // ended because the daemon did
)

// States are all states, in the order in which a job can have them.
func States() []State {
	return []State{Queued, Running, Succeeded, Incomplete, Failed, Cancelled, Interrupted}
}

// Ended tells whether a job in this state has come to its end.
func (s State) Ended() bool { return s != Queued && s != Running }

// A Job is one piece of work, as it stands.
type Job struct {
	ID    string `json:"id" doc:"Name of the job, and id of the operation in logs, audit lines and webhooks." example:"20241030T143000123-K7Q2M9XA"`
	Kind  string `json:"kind" doc:"What is done: backup, verify, drill, restore, rollback, recover, prune, replicate, compact, delete, confirm."`
	State State  `json:"state" enum:"queued,running,succeeded,incomplete,failed,cancelled,interrupted" doc:"How far it is."`
	// By is who asked for it: the name of a token.
	By        string         `json:"by,omitempty" doc:"Who asked for it: the name of a token."`
	CreatedAt holdfast.Time  `json:"created_at" doc:"When it was asked for."`
	StartedAt *holdfast.Time `json:"started_at,omitempty" doc:"When the work began."`
	EndedAt   *holdfast.Time `json:"ended_at,omitempty" doc:"When it ended; of a job that was cut, when it was last heard of."`
	// Key is the idempotency key that it was asked for with.
	Key     string          `json:"key,omitempty" doc:"The idempotency key of the request."`
	Request json.RawMessage `json:"request,omitempty" doc:"What was asked for."`
	// Backup is the backup that it makes or works on, as soon as that is known.
	Backup   holdfast.BackupName `json:"backup,omitempty" doc:"The backup that it makes or works on, as soon as that is known."`
	Progress *Progress           `json:"progress,omitempty" doc:"The last that was heard of it."`
	// Result is the object that the command line would print; Error beside it
	// tells why that is not everything.
	Result json.RawMessage `json:"result,omitempty" doc:"The object that the command line prints for the same work."`
	Error  *report.Error   `json:"error,omitempty" doc:"Why it failed."`
	// Outcome says in one sentence what became of it, where the state does not.
	Outcome string `json:"outcome,omitempty" doc:"What became of it, where the state alone does not tell."`
	// Problems are about the job itself, not about its work: a record that
	// cannot be written.
	Problems []holdfast.Problem `json:"problems,omitempty" doc:"What is wrong with the record of the job."`
}

// Duration is how long the work took, or has taken until now.
func (j Job) Duration(now time.Time) time.Duration {
	switch {
	case j.StartedAt == nil:
		return 0
	case j.EndedAt != nil:
		now = j.EndedAt.Time
	}
	return max(0, now.Sub(j.StartedAt.Time))
}

// Progress is the last that was heard of running work.
type Progress struct {
	At     holdfast.Time       `json:"at"`
	Op     string              `json:"op" doc:"The verb, which may be one that follows another: prune after a backup."`
	Step   holdfast.Step       `json:"step"`
	State  holdfast.State      `json:"state"`
	Backup holdfast.BackupName `json:"backup,omitempty"`
	Source string              `json:"source,omitempty"`
	Path   string              `json:"path,omitempty"`
	Done   int64               `json:"done,omitempty" doc:"Bytes."`
	Total  int64               `json:"total,omitempty" doc:"Bytes, absent if unknown."`
}

// An Event is one piece of news of a job: either its state changed, or something
// was heard of its work.
type Event struct {
	// Seq counts the events of a job from 1.
	Seq   int64           `json:"seq"`
	At    holdfast.Time   `json:"at"`
	State State           `json:"state,omitempty" doc:"The new state of the job."`
	Event *holdfast.Event `json:"event,omitempty" doc:"What was heard of its work."`
}
