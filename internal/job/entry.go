package job

import (
	"context"
	"sync"
)

// An entry is a job as the runner knows it.
type entry struct {
	id, kind, by, key string // never change

	hash   string                  // of the request
	work   Work                    // nil for a job of an earlier process
	launch func()                  // runs the work, under the context that cancel ends
	cancel context.CancelCauseFunc // nil for a job of an earlier process
	early  chan struct{}           // closed when there is a result, or when there will be none
	done   chan struct{}           // closed when it has ended and that is recorded
	news   *news

	writing sync.Mutex // one write of the record at a time, in the order of the states

	mu  sync.Mutex
	job Job
	// lean tells that request and result are on the disk alone.
	lean bool
	// unrecorded tells that the disk does not have the last state.
	unrecorded bool
}

// snapshot is the job as it stands, and whether the disk has more of it.
func (e *entry) snapshot() (j Job, lean bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	j = e.job
	j.Problems = j.Problems[:len(j.Problems):len(j.Problems)]
	return j, e.lean
}

// known makes the entry of a job of an earlier process.
func (r *Runner) known(rec record) *entry {
	e := &entry{id: rec.ID, kind: rec.Kind, by: rec.By, key: rec.Key, hash: rec.Hash, early: make(chan struct{}), done: make(chan struct{}), job: rec.Job}
	e.news = newNews(r.o.FS, r.store.eventsPath(rec.ID))
	e.news.seq = rec.Events
	if rec.State.Ended() {
		e.job.Request, e.job.Result, e.lean = nil, nil, true
		e.news.ended = true
		close(e.early)
		close(e.done)
	}
	return e
}

// tellEarly wakes those who wait for a result.
func (e *entry) tellEarly() {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.early:
	default:
		close(e.early)
	}
}
