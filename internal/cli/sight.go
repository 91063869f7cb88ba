package cli

import (
	"context"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// settleTime is how long a second look may take to be sure: that long after a write
// another one shows on every file system.
const settleTime = 3 * time.Second

// A sight is what the file system tells of each source; nil if that is not enough
// to see a later write.
type sight []string

// look looks at the sources, without opening or reading them. What was written
// only a moment ago is not waited for: then a later write is taken for granted.
func look(sources []holdfast.Source) sight {
	saw := make(sight, 0, len(sources))
	for _, s := range sources {
		p, ok := s.(holdfast.Peeker)
		if !ok {
			return nil
		}
		state, settled, err := p.Peek()
		if err != nil || !settled {
			return nil
		}
		saw = append(saw, state)
	}
	return saw
}

// unchanged tells that nothing was written to the same sources since. If in doubt,
// something was.
func (s sight) unchanged(ctx context.Context, sources []holdfast.Source) bool {
	if s == nil || len(s) != len(sources) {
		return false
	}
	until := time.Now().Add(settleTime)
	for i, source := range sources {
		for {
			state, settled, err := source.(holdfast.Peeker).Peek()
			if err != nil || state != s[i] {
				return false
			}
			if settled {
				break
			}
			if ctx.Err() != nil || time.Now().After(until) {
				return false
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return true
}
