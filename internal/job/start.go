package job

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Work is what a job does. The context carries the id of the job as the operation,
// and an observer that makes the news of the verbs those of the job; it ends when the
// job is cancelled or the daemon is. A result beside an error is what was done in
// spite of it. An error that matches ErrIncomplete makes the job Incomplete.
type Work func(ctx context.Context, j *Handle) (result any, err error)

// Start begins work, or puts it into the queue. Key is an idempotency key, empty for
// none: if the same caller asked for the same before, existing tells that the job
// is that one. What it says of failures: ErrUsage for a key that is none, ErrRefused
// for one that was used for another request, ErrLocked if other work is in the way,
// ErrClosed at the end. If the job cannot be recorded it is not begun, unless the
// rules say otherwise.
func (r *Runner) Start(kind, by, key string, request any, work Work) (j Job, existing bool, err error) {
	if err := checkKey(key); err != nil {
		return Job{}, false, err
	}
	raw, hash, err := fingerprint(kind, request)
	if err != nil {
		return Job{}, false, fmt.Errorf("%s: %w", kind, err)
	}
	r.starting.Lock()
	defer r.starting.Unlock()
	if e, err := r.repeated(by, key, hash); err != nil || e != nil {
		if err != nil {
			return Job{}, false, err
		}
		return r.whole(e), true, nil
	}
	now, err := r.admit(kind)
	if err != nil {
		return Job{}, false, err
	}
	defer r.work.Done()
	e := r.make(Job{Kind: kind, By: by, Key: key, Request: raw}, hash, work)
	if now {
		e.job.State, e.job.StartedAt = Running, new(e.job.CreatedAt)
	}
	if err := r.record(e); err != nil {
		if !r.essential(kind) {
			e.cancel(nil)
			r.givenUp()
			return Job{}, false, &holdfast.Error{Op: kind, Err: fmt.Errorf("nothing was begun, since it cannot be recorded: %w", err), Hint: "make room in the state directory, or make it writable: " + r.o.Dir}
		}
		r.lost(e, err)
	}
	r.publish(e)
	j, _ = e.snapshot()
	if now {
		e.launch()
	}
	r.next() // a place may have become free while it was recorded
	return j, false, nil
}

// admit tells whether a job may begin now or has to wait, or why it may not be begun.
// The runner is not done before work.Done is called.
func (r *Runner) admit(kind string) (now bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false, &holdfast.Error{Op: kind, Err: ErrClosed, Hint: "ask again in a moment"}
	}
	active := 0
	for _, e := range r.jobs {
		if e.active() {
			active++
		}
	}
	if active >= r.mostActive {
		return false, &holdfast.Error{Op: kind, Err: holdfast.Kindf(holdfast.ErrLocked, "%d jobs run or wait already", active), Hint: "wait until some have ended"}
	}
	if now, err = r.place(kind); err != nil {
		return false, err
	}
	if now = now && !r.overtakes(kind); now {
		r.beginning = kind
	}
	r.work.Add(1)
	return now, nil
}

// givenUp frees the place of a job that was not begun after all.
func (r *Runner) givenUp() {
	r.mu.Lock()
	r.beginning = ""
	r.mu.Unlock()
	r.next()
}

// active tells whether a job of this process has not ended.
func (e *entry) active() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.work != nil && !e.job.State.Ended()
}

// make makes the entry of a new job, which nobody knows yet.
func (r *Runner) make(j Job, hash string, work Work) *entry {
	at := r.o.Now()
	j.ID, j.State, j.CreatedAt = newID(r.moment(at)), Queued, holdfast.At(at)
	e := &entry{id: j.ID, kind: j.Kind, by: j.By, key: j.Key, hash: hash, work: work, early: make(chan struct{}), done: make(chan struct{}), job: j}
	ctx, cancel := context.WithCancelCause(context.Background())
	e.launch, e.cancel = func() { r.launch(ctx, e) }, cancel
	e.news = newNews(r.o.FS, r.store.eventsPath(j.ID))
	return e
}

// moment is the one that the id of a job bears: a millisecond after that of the job
// before, if both are asked for at once.
func (r *Runner) moment(at time.Time) time.Time {
	at = at.Truncate(time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	if ahead := r.lastID.Sub(at); ahead >= 0 && ahead < time.Minute {
		at = r.lastID.Add(time.Millisecond)
	}
	r.lastID = at
	return at
}

// publish shows a job that is recorded to everybody.
func (r *Runner) publish(e *entry) {
	j, _ := e.snapshot()
	e.news.add(Event{At: j.CreatedAt, State: j.State})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.beginning = ""
	r.jobs[e.id] = e
	if e.key != "" {
		r.keys[keyOf(e.by, e.key)] = e
	}
	if j.State == Queued {
		r.queue = append(r.queue, e)
	}
}

// essential tells whether work is begun although it cannot be recorded.
func (r *Runner) essential(kind string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.rules.Essential, kind)
}

// record writes a job down as it stands, until it has ended.
func (r *Runner) record(e *entry) error {
	e.writing.Lock()
	defer e.writing.Unlock()
	j, _ := e.snapshot()
	if j.State.Ended() {
		return nil
	}
	return r.store.write(record{Job: j, Hash: e.hash})
}

// lost notes that the disk does not have the state of a job.
func (r *Runner) lost(e *entry, err error) {
	r.log.Warn("a job could not be recorded; its work goes on", keyOperation, e.id, keyKind, e.kind, keyError, err)
	e.mu.Lock()
	e.unrecorded = true
	e.job.Problems = withProblem(e.job.Problems, err)
	e.mu.Unlock()
}

const hintUnrecorded = "make room in the state directory, or make it writable"

// withProblem says once that a job is not recorded.
func withProblem(problems []holdfast.Problem, err error) []holdfast.Problem {
	return append(withoutProblem(problems), holdfast.Problem{Severity: holdfast.Warning, Message: "the job is not recorded and is forgotten when the daemon ends: " + err.Error(), Hint: hintUnrecorded})
}

// withoutProblem no longer says that.
func withoutProblem(problems []holdfast.Problem) []holdfast.Problem {
	return slices.DeleteFunc(slices.Clone(problems), func(p holdfast.Problem) bool { return p.Hint == hintUnrecorded })
}
