package supervise

import (
	"cmp"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A board is what others see of this program: every change of it goes to the
// status file.
type board struct {
	fill func(*holdfast.Standing) // what others keep

	mu       sync.Mutex
	state    holdfast.StandingState
	message  string
	problems map[string]holdfast.Problem // by what they are about

	publishing sync.Mutex // so that no older news follows newer

	changed chan struct{}
	done    chan struct{}
	closing sync.Once
}

func newBoard(fill func(*holdfast.Standing)) *board {
	return &board{
		fill: fill, state: holdfast.StandingStarting, message: "The start-up has begun.",
		problems: map[string]holdfast.Problem{}, changed: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// set says how the program stands.
func (b *board) set(state holdfast.StandingState, message string) {
	b.mu.Lock()
	ending := b.state == holdfast.StandingStopping && state != holdfast.StandingStopped
	if !ending { // whoever is late with its news does not take the end back
		b.state, b.message = state, message
	}
	b.mu.Unlock()
	b.touch()
}

// problem notes what is wrong about a thing, and says it if it is news.
func (b *board) problem(about string, p holdfast.Problem, say func(holdfast.Problem)) {
	b.mu.Lock()
	old, had := b.problems[about]
	b.problems[about] = p
	b.mu.Unlock()
	b.touch()
	if !had || old.Message != p.Message {
		say(p)
	}
}

// solved forgets what was wrong about a thing, and tells whether anything was.
func (b *board) solved(about string) bool {
	b.mu.Lock()
	_, had := b.problems[about]
	delete(b.problems, about)
	b.mu.Unlock()
	if had {
		b.touch()
	}
	return had
}

// touch lets the status file be written anew.
func (b *board) touch() {
	select {
	case b.changed <- struct{}{}:
	default: // it will be
	}
}

// standing is everything that is known now.
func (b *board) standing() holdfast.Standing {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	b.mu.Lock()
	s := holdfast.Standing{State: b.state, Message: b.message, PID: os.Getpid(), Host: host, Sources: []holdfast.SourceStanding{}}
	for _, p := range b.problems {
		s.Problems = append(s.Problems, p)
	}
	b.mu.Unlock()
	b.fill(&s)
	rank := func(p holdfast.Problem) int {
		return slices.Index([]holdfast.Severity{holdfast.Damaged, holdfast.Incomplete, holdfast.Warning}, p.Severity)
	}
	slices.SortFunc(s.Problems, func(x, y holdfast.Problem) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(x.Message, y.Message))
	})
	return s
}

// publishPause gathers changes that come one after the other: a start and an end
// are full of them.
const publishPause = 100 * time.Millisecond

// publish publishes what is known now.
func (b *board) publish(write func(holdfast.Standing)) {
	b.publishing.Lock()
	defer b.publishing.Unlock()
	write(b.standing())
}

// run publishes every change until the board is closed, the last one included.
func (b *board) run(write func(holdfast.Standing)) {
	b.publish(write)
	for {
		select {
		case <-time.After(publishPause):
		case <-b.done:
		}
		select {
		case <-b.changed:
			b.publish(write)
		case <-b.done:
			b.publish(write)
			return
		}
	}
}

// close ends run.
func (b *board) close() { b.closing.Do(func() { close(b.done) }) }
