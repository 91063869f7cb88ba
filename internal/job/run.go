package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A Handle is what work sees of its own job.
type Handle struct {
	r *Runner
	e *entry

	mu         sync.Mutex
	incomplete bool
	outcome    string
}

// ID is the id of the job.
func (h *Handle) ID() string { return h.e.id }

// SetBackup tells which backup the job makes or works on. It is on the disk when
// this returns, if it can be: after a crash it tells where to look.
func (h *Handle) SetBackup(name holdfast.BackupName) {
	h.e.mu.Lock()
	same := h.e.job.Backup == name
	h.e.job.Backup = name
	h.e.mu.Unlock()
	if same {
		return
	}
	if err := h.r.record(h.e); err != nil {
		h.r.lost(h.e, err)
	}
}

// SetResult tells a result that stands, although the work goes on: a backup that was
// committed, before it is copied. It is on the disk when this returns, if it can be;
// the result at the end takes its place.
func (h *Handle) SetResult(result any) {
	h.e.mu.Lock()
	h.e.job.setResult(result)
	h.e.mu.Unlock()
	if err := h.r.record(h.e); err != nil {
		h.r.lost(h.e, err)
	}
	h.e.tellEarly()
}

// SetIncomplete makes the job Incomplete, if it does not fail: the result says what
// is missing.
func (h *Handle) SetIncomplete() {
	h.mu.Lock()
	h.incomplete = true
	h.mu.Unlock()
}

// SetOutcome says in a sentence what became of the job.
func (h *Handle) SetOutcome(sentence string) {
	h.mu.Lock()
	h.outcome = sentence
	h.mu.Unlock()
}

// launch runs the work of a job that has its place and is recorded as running.
func (r *Runner) launch(ctx context.Context, e *entry) {
	r.work.Go(func() {
		defer e.cancel(nil)
		r.log.Info("job started", keyOperation, e.id, keyKind, e.kind, keyBy, e.by)
		h := &Handle{r: r, e: e}
		ctx = holdfast.WithObserver(holdfast.WithOperation(ctx, e.id), func(ev holdfast.Event) { e.heard(ev, r.o.Now()) })
		var result any
		err := h.fault("its goroutine ended")
		defer func() { // whatever the work does, also to the goroutine
			r.end(e, func(j *Job) { h.conclude(ctx, j, result, err) })
			r.next()
			r.sweep()
		}()
		result, err = r.contained(ctx, h)
	})
}

// contained does the work, and makes an error of a panic.
func (r *Runner) contained(ctx context.Context, h *Handle) (result any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			r.log.Error("a job panicked", keyOperation, h.e.id, keyError, fmt.Sprint(fault), keyStack, string(debug.Stack()))
			result, err = nil, h.fault(fault)
		}
	}()
	return h.e.work(ctx, h)
}

// fault is the error of work that did not come to its end.
func (h *Handle) fault(what any) error {
	return &holdfast.Error{Op: h.e.kind, Err: fmt.Errorf("a fault in holdfast ended it: %v", what), Hint: "please report it, with the log of this operation"}
}

// conclude writes into a job what became of its work.
func (h *Handle) conclude(ctx context.Context, j *Job, result any, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	j.Outcome = h.outcome
	j.setResult(result)
	switch cause := context.Cause(ctx); {
	case err == nil && h.incomplete:
		j.State = Incomplete
	case err == nil:
		j.State = Succeeded
	case errors.Is(err, context.Canceled) && errors.Is(cause, errCancelled):
		j.State = Cancelled
	case errors.Is(err, context.Canceled) && cause != nil:
		j.State = Interrupted
	case errors.Is(err, holdfast.ErrIncomplete):
		j.State = Incomplete
	default:
		j.State = Failed
	}
	if err == nil {
		return
	}
	j.Error = new(report.NewError(j.Kind, holdfast.ExitCode(err), err))
	if j.Outcome == "" && (j.State == Cancelled || j.State == Interrupted) {
		j.Outcome = context.Cause(ctx).Error()
	}
}

// mostResult bounds what is kept of a result.
const mostResult = 8 << 20

// setResult writes the result down.
func (j *Job) setResult(result any) {
	raw, err := json.Marshal(result)
	switch {
	case err == nil && len(raw) > mostResult:
		err = fmt.Errorf("it is larger than %d bytes", mostResult)
	case err == nil && string(raw) == "null":
		return
	case err == nil:
		j.Result = raw
		return
	}
	j.Problems = append(slices.Clip(j.Problems), holdfast.Problem{Severity: holdfast.Warning, Message: "the result could not be kept: " + err.Error(), Hint: "what was done stands"})
}

// end records how a job ended, and tells everybody then.
func (r *Runner) end(e *entry, conclude func(*Job)) {
	at := holdfast.At(r.o.Now())
	seq := e.news.last() // nothing more is heard of the work
	j, err := r.recordEnd(e, seq, func(j *Job) {
		j.EndedAt = &at
		conclude(j)
	})
	r.tell(j, err)
	e.news.end(Event{At: at, State: j.State})
	if err == nil {
		e.slim()
	}
	e.tellEarly()
	close(e.done)
}

// recordEnd writes down how a job ended; the error is that the disk did not take it.
func (r *Runner) recordEnd(e *entry, seq int64, conclude func(*Job)) (Job, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	j, _ := e.snapshot()
	j.Problems = withoutProblem(j.Problems)
	conclude(&j)
	err := r.store.write(record{Job: j, Hash: e.hash, Events: seq})
	if err != nil {
		j.Problems = withProblem(j.Problems, err)
	}
	e.mu.Lock()
	e.job, e.unrecorded = j, err != nil
	e.mu.Unlock()
	return j, err
}

// slim leaves to the disk what it has.
func (e *entry) slim() {
	e.mu.Lock()
	e.job.Request, e.job.Result, e.lean = nil, nil, true
	e.mu.Unlock()
	e.news.slim()
}

// tell logs how a job ended.
func (r *Runner) tell(j Job, unrecorded error) {
	level, args := slog.LevelInfo, []any{keyOperation, j.ID, keyKind, j.Kind, keyState, j.State, keyDuration, j.Duration(r.o.Now())}
	if j.Backup != "" {
		args = append(args, keyBackup, j.Backup)
	}
	if j.Outcome != "" {
		args = append(args, keyOutcome, j.Outcome)
	}
	if j.Error != nil {
		args = append(args, keyError, j.Error.Message)
		if j.Error.Hint != "" {
			args = append(args, keyHint, j.Error.Hint)
		}
	}
	if j.State == Failed || j.State == Incomplete {
		level = slog.LevelWarn
	}
	r.log.Log(context.Background(), level, "job ended", args...)
	if unrecorded != nil {
		r.log.Warn("the end of a job could not be recorded", keyOperation, j.ID, keyError, unrecorded)
	}
}

// next begins what waits and has a place now.
func (r *Runner) next() {
	for {
		e := r.takeNext()
		if e == nil {
			return
		}
		if err := r.record(e); err != nil && !r.essential(e.kind) {
			r.end(e, func(j *Job) {
				j.State, j.Outcome = Failed, "it was not begun, since that could not be recorded"
				j.Error = new(report.NewError(j.Kind, holdfast.ExitFailed, err))
			})
			r.work.Done()
			continue
		} else if err != nil {
			r.lost(e, err)
		}
		j, _ := e.snapshot()
		e.news.add(Event{At: *j.StartedAt, State: Running})
		e.launch()
		r.work.Done()
	}
}

// takeNext gives the first job of the queue that has a place, and gives it that. The
// runner is not done before work.Done is called.
func (r *Runner) takeNext() *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range r.queue {
		if now, err := r.place(e.kind); !now || err != nil {
			continue
		}
		r.queue = slices.Delete(r.queue, i, i+1)
		e.mu.Lock()
		e.job.State, e.job.StartedAt = Running, new(holdfast.At(r.o.Now()))
		e.mu.Unlock()
		r.work.Add(1)
		return e
	}
	return nil
}
