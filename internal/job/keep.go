package job

import (
	"slices"
	"strings"
)

// sweep removes the records of jobs that ended long ago, and those that are too
// many; jobs that have not ended never go. It also tries again to record the ends
// that the disk did not take.
func (r *Runner) sweep() {
	r.sweeping.Lock()
	defer r.sweeping.Unlock()
	r.recordAgain()
	for _, e := range r.expired() {
		if err := r.store.remove(e.id); err != nil {
			r.log.Warn("the record of an old job could not be removed", keyOperation, e.id, keyError, err)
			continue
		}
		r.mu.Lock()
		delete(r.jobs, e.id)
		if key := keyOf(e.by, e.key); r.keys[key] == e {
			delete(r.keys, key)
		}
		r.mu.Unlock()
	}
}

// expired are the jobs that need no longer be kept.
func (r *Runner) expired() []*entry {
	now := r.o.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var ended, out []*entry
	for _, e := range r.jobs {
		select {
		case <-e.done:
		default:
			continue
		}
		j, _ := e.snapshot()
		if now.Sub(j.EndedAt.Time) > r.o.Keep {
			out = append(out, e)
		} else {
			ended = append(ended, e)
		}
	}
	if more := len(ended) - r.o.KeepMost; more > 0 {
		slices.SortFunc(ended, func(a, b *entry) int { return strings.Compare(a.id, b.id) })
		out = append(out, ended[:more]...)
	}
	return out
}

// recordAgain records the ends that the disk did not take.
func (r *Runner) recordAgain() {
	r.mu.Lock()
	var again []*entry
	for _, e := range r.jobs {
		select {
		case <-e.done:
			if e.isUnrecorded() {
				again = append(again, e)
			}
		default:
		}
	}
	r.mu.Unlock()
	for _, e := range again {
		if _, err := r.recordEnd(e, e.news.number(), func(*Job) {}); err != nil {
			return // it is still full
		}
		e.slim()
	}
}

// isUnrecorded tells whether the disk lacks the last state of a job.
func (e *entry) isUnrecorded() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.unrecorded
}
