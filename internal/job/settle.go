package job

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A Verdict tells what became of a job that a dead process left.
type Verdict struct {
	// State is how it counts; empty is Interrupted.
	State   State
	Outcome string // one sentence
	Result  any    // nil if none can be told
	Err     error  // why it is not known, or failed
}

// A Judge finds out what became of a job by looking at what is there.
type Judge func(ctx context.Context, j Job) Verdict

// Settle gives the jobs that a dead process left an end, the oldest first. It is
// called once, when nothing else of that process is in hand any more and before
// anybody asks for jobs. When ctx ends, those that were not looked into are left for
// the next start.
func (r *Runner) Settle(ctx context.Context, judge Judge) error {
	for _, e := range r.left() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		j, _ := e.snapshot()
		last := e.resume(j)
		j, _ = e.snapshot() // with what was heard of it last
		verdict := Verdict{Outcome: "the daemon ended before it had begun; nothing was done"}
		if j.State == Running {
			verdict = r.judged(ctx, judge, j)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		r.end(e, func(j *Job) { verdict.write(j, last) })
	}
	r.sweep()
	return nil
}

// left are the jobs that a dead process left.
func (r *Runner) left() (left []*entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.jobs {
		if j, _ := e.snapshot(); e.work == nil && !j.State.Ended() {
			left = append(left, e)
		}
	}
	slices.SortFunc(left, func(a, b *entry) int { return strings.Compare(a.id, b.id) })
	return left
}

// resume takes up the events of a dead process, and tells when it was last heard of.
func (e *entry) resume(j Job) (heard holdfast.Time) {
	heard = j.CreatedAt
	if j.StartedAt != nil {
		heard = *j.StartedAt
	}
	seq := int64(0)
	var step *holdfast.Event
	size, err := lines(e.news.path, func(ev Event) bool {
		seq = max(seq, ev.Seq)
		if ev.At.After(heard.Time) {
			heard = ev.At
		}
		if ev.Event != nil {
			step = ev.Event
		}
		return true
	})
	e.news.mu.Lock()
	e.news.seq, e.news.size, e.news.gaps = seq, size, err != nil
	e.news.mu.Unlock()
	if step != nil {
		e.heardBefore(*step)
	}
	return heard
}

// heardBefore notes where the work was.
func (e *entry) heardBefore(ev holdfast.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.job.Progress = &Progress{At: holdfast.At(ev.Time), Op: ev.Op, Step: ev.Step, State: ev.State, Backup: ev.Backup, Source: ev.Source, Path: ev.Path, Done: ev.Done, Total: ev.Total}
}

// judged asks what became of a job. A judge that fails tells nothing.
func (r *Runner) judged(ctx context.Context, judge Judge, j Job) (v Verdict) {
	v = Verdict{Outcome: "the daemon ended while it ran; what became of it is not known"}
	if judge == nil {
		return v
	}
	defer func() {
		if fault := recover(); fault != nil {
			r.log.Error("looking what became of a job panicked", keyOperation, j.ID, keyError, fmt.Sprint(fault), keyStack, string(debug.Stack()))
		}
	}()
	return judge(ctx, j)
}

// write writes a verdict into a job that was last heard of at a moment.
func (v Verdict) write(j *Job, heard holdfast.Time) {
	j.State, j.Outcome, j.EndedAt = v.State, v.Outcome, &heard
	if !j.State.Ended() || j.State == "" {
		j.State = Interrupted
	}
	j.setResult(v.Result)
	if v.Err != nil {
		j.Error = new(report.NewError(j.Kind, holdfast.ExitCode(v.Err), v.Err))
	}
}
