package panel

import (
	"slices"
	"sync"
	"time"
)

const (
	// burst is how many presses of one user are taken at once, pause how long it takes
	// until one more is.
	burst = 20
	pause = time.Second
	// rest is how long nothing is logged of a stranger who was logged.
	rest = time.Hour
	// mostStrangers bounds those who are remembered.
	mostStrangers = 1000
)

// A gate tells who may use the panel, and how often.
type gate struct {
	admins []int64
	now    func() time.Time

	mu        sync.Mutex
	users     map[int64]*user
	strangers map[int64]time.Time // when they were logged last
}

// A user is what is known of an admin who presses buttons.
type user struct {
	turn  sync.Mutex // one press of a user after the other
	left  float64    // of the burst
	at    time.Time
	told  time.Time // that he is too fast
	queue int       // how many presses wait for their turn
}

func newGate(admins []int64, now func() time.Time) *gate {
	return &gate{admins: admins, now: now, users: map[int64]*user{}, strangers: map[int64]time.Time{}}
}

// lets tells whether a user is listed.
func (g *gate) lets(id int64) bool { return slices.Contains(g.admins, id) }

// notable tells whether a stranger is to be logged: once an hour each, and no more of
// them than can be remembered.
func (g *gate) notable(id int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if at, ok := g.strangers[id]; ok && now.Sub(at) < rest && !now.Before(at) {
		return false
	}
	if len(g.strangers) >= mostStrangers {
		for other, at := range g.strangers {
			if now.Sub(at) >= rest || now.Before(at) {
				delete(g.strangers, other)
			}
		}
		if len(g.strangers) >= mostStrangers {
			return false
		}
	}
	g.strangers[id] = now
	return true
}

// mostWaiting is how many presses of one user wait for those before them.
const mostWaiting = 4

// take lets an admin in, if he is not too fast; leave is called when his press has been
// dealt with. Tell says that he has not been told yet that he is.
func (g *gate) take(id int64) (leave func(), tell bool) {
	g.mu.Lock()
	u := g.users[id]
	now := g.now()
	if u == nil {
		u = &user{left: burst, at: now}
		g.users[id] = u
	}
	if gone := now.Sub(u.at); gone > 0 {
		u.left = min(burst, u.left+gone.Seconds()/pause.Seconds())
	}
	u.at = now
	if u.left < 1 || u.queue >= mostWaiting {
		tell = now.Sub(u.told) >= 5*pause
		if tell {
			u.told = now
		}
		g.mu.Unlock()
		return nil, tell
	}
	u.left--
	u.queue++
	g.mu.Unlock()
	u.turn.Lock()
	return func() {
		u.turn.Unlock()
		g.mu.Lock()
		u.queue--
		g.mu.Unlock()
	}, false
}
