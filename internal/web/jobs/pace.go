package jobs

import (
	"time"

	"github.com/holdfast-backup/holdfast"
)

const (
	// soonest is how long progress is watched before anything is estimated: a first
	// second tells nothing.
	soonest = 3 * time.Second
	// window is how far back the rate looks, so that it is smooth and yet follows.
	window = 20 * time.Second
)

// A pace is the progress of one step within the last while.
type pace struct {
	seen []mark
}

// A mark is how far the step was at a moment.
type mark struct {
	at   time.Time
	done int64
}

// note takes in how far the step is, and tells how fast it goes.
func (p *pace) note(e holdfast.Event) Progress {
	now := mark{e.Time, e.Done}
	if n := len(p.seen); n > 0 && (now.done < p.seen[n-1].done || now.at.Before(p.seen[n-1].at)) {
		p.seen = p.seen[:0] // another source, or another clock
	}
	p.seen = append(p.seen, now)
	for len(p.seen) > 2 && now.at.Sub(p.seen[1].at) >= window {
		p.seen = p.seen[1:]
	}
	out := Progress{Done: e.Done, Total: e.Total, Path: e.Path}
	if out.Total > 0 {
		out.Done = min(out.Done, out.Total)
	}
	first := p.seen[0]
	span, moved := now.at.Sub(first.at), now.done-first.done
	if span < soonest || moved <= 0 {
		return out
	}
	rate := float64(moved) / span.Seconds()
	out.Rate = int64(rate)
	if left := out.Total - out.Done; left > 0 && rate > 0 {
		out.Left = time.Duration(min(float64(left)/rate, float64(longest/time.Second)) * float64(time.Second))
	}
	return out
}

// longest is the longest estimate that means anything.
const longest = 30 * 24 * time.Hour
