package cli

import (
	"context"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// How long a look at the sources may wait until a write would show in the next
// one: beforehand for what was written just now, afterwards on a file system with
// coarse times, too.
const (
	settleBefore = 1200 * time.Millisecond
	settleAfter  = 3 * time.Second
)

// A sight is what the file system tells of each source; nil if it does not tell
// enough to see a write.
type sight []string

// look looks at the sources, without opening or reading them.
func look(ctx context.Context, sources []holdfast.Source, patience time.Duration) sight {
	until := time.Now().Add(patience)
	saw := make(sight, 0, len(sources))
	for _, s := range sources {
		p, ok := s.(holdfast.Peeker)
		if !ok {
			return nil
		}
		state, settled, err := p.Peek()
		for err == nil && !settled && time.Now().Before(until) && ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
			state, settled, err = p.Peek()
		}
		if err != nil || !settled {
			return nil
		}
		saw = append(saw, state)
	}
	return saw
}

// same tells that nothing was written between two looks at the same sources.
func (s sight) same(later sight) bool {
	if s == nil || later == nil || len(s) != len(later) {
		return false
	}
	for i := range s {
		if s[i] != later[i] {
			return false
		}
	}
	return true
}
