package daemon

import (
	"context"
	"sync"
	"time"
)

// How old what was seen may be: for everybody, and for those who ask while somebody looks
// anew already.
const (
	glanceFresh = time.Second
	glanceWhile = 10 * time.Second
)

// A glance is what was last seen of something that many ask for and that each look costs a
// lot. One looks at a time, and nobody else waits for that unless what is known is no
// answer any more.
type glance[T any] struct {
	look func(context.Context) (T, error)

	mu   sync.Mutex
	turn chan struct{} // closed when the look that is under way has ended; nil: there is none
	// changes counts how often what is seen has become another; seen is what it was when
	// the look at what is known began.
	changes, seen int
	at            time.Time // when that ended, by the machine's clock; zero: there was none
	value         T
	err           error
}

// changed makes the next question one for a look that begins after it.
func (g *glance[T]) changed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changes++
}

// get gives what is seen, or was a moment ago.
func (g *glance[T]) get(ctx context.Context) (T, error) {
	for {
		g.mu.Lock()
		if g.answers() {
			defer g.mu.Unlock()
			return g.value, g.err
		}
		if g.turn == nil {
			return g.lookNow(ctx)
		}
		turn := g.turn
		g.mu.Unlock()
		select {
		case <-turn:
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		}
	}
}

// answers tells whether what is known is an answer.
func (g *glance[T]) answers() bool {
	if g.at.IsZero() || g.seen != g.changes {
		return false
	}
	age := time.Since(g.at)
	return age < glanceFresh || g.turn != nil && age < glanceWhile
}

// lookNow looks, and lets go of the lock that the caller holds.
func (g *glance[T]) lookNow(ctx context.Context) (T, error) {
	turn, changes := make(chan struct{}), g.changes
	g.turn = turn
	g.mu.Unlock()
	defer close(turn)
	value, err := g.look(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn = nil
	if ctx.Err() == nil { // what was only interrupted tells nothing
		g.at, g.seen, g.value, g.err = time.Now(), changes, value, err
	}
	return value, err
}
