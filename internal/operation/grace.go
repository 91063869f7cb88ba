package operation

import (
	"context"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/job"
)

// mostGrace bounds how long a deletion can be taken back: meanwhile no other one of its
// kind begins.
const mostGrace = time.Minute

// The pause between two events of a deletion that waits.
const graceBeat = time.Second

// What became of a deletion that ended before it began.
const (
	takenBack   = "it ended while it could still be taken back; nothing was deleted"
	neverBegan  = "the daemon ended while the deletion could still be taken back; nothing was deleted"
	untilThen   = "cancelling the job until then takes the deletion back"
	nobodyWants = "it was not taken back"
)

// grace is how long the deletion waits.
func (q DeleteRequest) grace() (time.Duration, error) {
	if q.Grace == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(q.Grace)
	if err != nil || d < 0 || d > mostGrace {
		return 0, wrong("delete", "10s, say", "grace must be a duration up to %s, not %q", mostGrace, clipped(q.Grace))
	}
	return d, nil
}

// refuseEarly tells what cannot be deleted before the grace begins, while somebody still
// looks: afterwards it would be too late for that. It is part of the job, since a
// repository may take long to answer.
func (o *Operations) refuseEarly(ctx context.Context, names []holdfast.BackupName) error {
	return o.keeper.With(ctx, func(e *engine.Engine) error { return deletable(ctx, e, names) })
}

// waitUntil waits for what is left of a grace, and tells how far that is.
func waitUntil(ctx context.Context, op string, grace, left time.Duration) error {
	tell := func(state holdfast.State, left time.Duration, message string) {
		holdfast.ObserverOf(ctx).Send(holdfast.Event{
			Op: op, Step: holdfast.StepWait, State: state, Message: message,
			Done: (grace - max(0, left)).Milliseconds(), Total: grace.Milliseconds(),
		})
	}
	end := time.NewTimer(left)
	defer end.Stop()
	beat := time.NewTicker(graceBeat)
	defer beat.Stop()
	begun := time.Now()
	tell(holdfast.Started, left, untilThen)
	for {
		select {
		case <-beat.C:
			tell(holdfast.Progress, left-time.Since(begun), "")
		case <-end.C:
			tell(holdfast.Finished, 0, nobodyWants)
			// A cancellation of the same moment counts.
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// graceOver tells whether a deletion that was cut had come to the end of its grace, as
// far as anybody has heard.
func graceOver(j job.Job, q DeleteRequest) bool {
	waits, err := q.grace()
	if err != nil || waits == 0 {
		return true
	}
	p := j.Progress
	return p != nil && (p.Step != holdfast.StepWait || p.State == holdfast.Finished)
}
