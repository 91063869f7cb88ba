package job

import (
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// Rules say which kinds of jobs may be begun when.
type Rules struct {
	// Lanes bound how many jobs run side by side.
	Lanes []Lane
	// Essential are the kinds that are begun although nothing can be recorded:
	// their work matters more than that it is told later.
	Essential []string
}

// A Lane is shared by jobs of some kinds.
type Lane struct {
	Kinds []string
	Most  int
	// Refuse makes a further job an error that matches ErrLocked; otherwise it
	// waits for a place.
	Refuse bool
}

// SetRules replaces the rules; what runs or waits already is not touched by that.
func (r *Runner) SetRules(rules Rules) {
	r.mu.Lock()
	r.rules = rules
	r.mu.Unlock()
}

// place tells whether a job of a kind may begin now, under the lock. If not, it
// waits, or, with an error, must not be begun at all.
func (r *Runner) place(kind string) (now bool, err error) {
	for _, lane := range r.rules.Lanes {
		if !slices.Contains(lane.Kinds, kind) {
			continue
		}
		running := r.active(lane)
		switch {
		case len(running) < lane.Most:
		case lane.Refuse:
			return false, &holdfast.Error{
				Op: kind, Err: holdfast.Kindf(holdfast.ErrLocked, "%s is at work", strings.Join(running, ", ")),
				Hint: "wait until it has ended, or cancel it",
			}
		default:
			return false, nil
		}
	}
	return true, nil
}

// active names the jobs of a lane that run, under the lock.
func (r *Runner) active(lane Lane) (running []string) {
	if slices.Contains(lane.Kinds, r.beginning) {
		running = append(running, r.beginning)
	}
	for _, e := range r.jobs {
		if e.begun() && slices.Contains(lane.Kinds, e.kind) {
			running = append(running, e.kind+" "+e.id)
		}
	}
	return running
}

// overtakes tells whether a job of a kind that is begun now would come before one
// that waits for the same places, under the lock.
func (r *Runner) overtakes(kind string) bool {
	for _, lane := range r.rules.Lanes {
		if slices.Contains(lane.Kinds, kind) && slices.ContainsFunc(r.queue, func(e *entry) bool { return slices.Contains(lane.Kinds, e.kind) }) {
			return true
		}
	}
	return false
}

// begun tells whether a job of this process has its place.
func (e *entry) begun() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.work != nil && e.job.State == Running
}

// unqueue takes a job out of the queue; false if it is not there.
func (r *Runner) unqueue(e *entry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.queue, e)
	if i < 0 {
		return false
	}
	r.queue = slices.Delete(r.queue, i, i+1)
	return true
}
