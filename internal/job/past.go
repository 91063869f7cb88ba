package job

import (
	"context"
	"iter"
)

// Past gives the events of a job that come after the one with this number and have been
// told by now. It does not wait for more, as [Runner.Events] does.
func (r *Runner) Past(ctx context.Context, id string, after int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		e, err := r.find(id)
		if err != nil {
			yield(Event{}, err)
			return
		}
		f := follower{e: e, after: max(after, 0)}
		for {
			if err := ctx.Err(); err != nil {
				yield(Event{}, context.Cause(ctx))
				return
			}
			events, _ := f.next()
			if len(events) == 0 {
				return
			}
			for _, ev := range events {
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}
