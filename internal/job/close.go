package job

import "context"

// Close begins nothing more. What waits for a place is ended; what runs may come to
// its end until ctx ends, and is interrupted then. It returns when all of it has
// ended and is recorded; work that takes no notice of its context is waited for.
func (r *Runner) Close(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	waiting := r.queue
	r.queue = nil
	r.mu.Unlock()
	for _, e := range waiting {
		r.end(e, func(j *Job) {
			j.State, j.Outcome = Interrupted, "the daemon was shut down before it had begun; nothing was done"
		})
		e.cancel(nil)
	}
	ended := make(chan struct{})
	go func() {
		r.work.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	r.mu.Lock()
	for _, e := range r.jobs {
		if e.active() {
			e.cancel(errShutdown)
		}
	}
	r.mu.Unlock()
	<-ended
}
