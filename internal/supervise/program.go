package supervise

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/child"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// A program is the supervised program over all its starts. Whoever needs it
// stopped holds it; while it is held nothing starts it, and its end is no news.
type program struct {
	launch func() (*child.Child, error)
	ended  chan ending // ends that nobody asked for
	quit   chan struct{}
	wait   sync.WaitGroup

	mu      sync.Mutex
	current *child.Child
	last    *child.Child // the newest, running or not
	begun   time.Time    // of the newest
	held    bool
	wanted  bool // it is to run whenever nobody holds it
	closed  bool
}

// An ending is how a start ended that nobody stopped.
type ending struct {
	exit  child.ExitState
	err   error // it could not even be started
	lived time.Duration
}

func newProgram(launch func() (*child.Child, error)) *program {
	return &program{launch: launch, ended: make(chan ending), quit: make(chan struct{})}
}

// Start starts the program, unless it runs, is held, or is over.
func (p *program) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = true
	return p.startLocked()
}

func (p *program) startLocked() error {
	if p.held || p.closed || !p.wanted || p.current != nil {
		return nil
	}
	c, err := p.launch()
	if err != nil {
		return err
	}
	begun := time.Now()
	p.current, p.last, p.begun = c, c, begun
	p.wait.Go(func() { p.await(c, begun) })
	return nil
}

// await reports the end of a child that nobody stopped.
func (p *program) await(c *child.Child, begun time.Time) {
	<-c.Done()
	p.mu.Lock()
	news := p.current == c
	if news {
		p.current = nil
	}
	p.mu.Unlock()
	if !news {
		return
	}
	select {
	case p.ended <- ending{exit: c.Exit(), lived: time.Since(begun)}:
	case <-p.quit:
	}
}

// fail reports a start that failed as an end.
func (p *program) fail(err error) {
	p.wait.Go(func() {
		select {
		case p.ended <- ending{exit: child.ExitState{Code: child.Code(err)}, err: err}:
		case <-p.quit:
		}
	})
}

// Hold stops the program and keeps it stopped until Release.
func (p *program) Hold(ctx context.Context, grace time.Duration) error {
	p.mu.Lock()
	c := p.current
	p.held, p.current = true, nil
	p.mu.Unlock()
	if c == nil {
		return nil
	}
	if err := c.Stop(ctx, grace); err != nil {
		p.mu.Lock()
		p.held, p.current = false, c
		p.mu.Unlock()
		p.wait.Go(func() { p.await(c, time.Now()) })
		return err
	}
	return nil
}

// Held tells whether somebody holds the program.
func (p *program) Held() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// Release ends a hold, and starts the program if it is to run.
func (p *program) Release() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = false
	return p.startLocked()
}

// Running is the child that runs, or nil.
func (p *program) Running() *child.Child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// Age is for how long the program has run since its newest start; ok is false if it
// does not run.
func (p *program) Age() (age time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.begun), p.current != nil
}

// Signal passes a signal on. One that meets nobody is lost, as it would be
// without us.
func (p *program) Signal(sig os.Signal) {
	if c := p.Running(); c != nil {
		_ = c.Signal(sig)
	}
}

// Finish lets no further start happen, and gives the child that has not ended
// yet, even if somebody else is stopping it, or nil. Its end is no news any more.
func (p *program) Finish() *child.Child {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.wanted, p.current = true, false, nil
	if p.last == nil {
		return nil
	}
	select {
	case <-p.last.Done():
		return nil
	default:
		return p.last
	}
}

// leftGrace is how long what a program left behind may take to end.
const leftGrace = 2 * time.Second

// Sweep ends what the last start left behind, which might hold on to files and
// ports that the next one needs.
func (p *program) Sweep(ctx context.Context) {
	p.mu.Lock()
	c, running := p.last, p.current != nil
	p.mu.Unlock()
	if c != nil && !running {
		_ = c.Stop(ctx, leftGrace) // what cannot be ended, the next start meets
	}
}

// Kill ends what is left of the program at once.
func (p *program) Kill() {
	p.mu.Lock()
	c := p.last
	p.mu.Unlock()
	if c != nil {
		_ = c.Signal(os.Kill)
	}
}

// Close waits for what watches the program. It must have ended.
func (p *program) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	close(p.quit)
	p.wait.Wait()
}

// A backoff is how long to wait before the next start: longer each time, and
// from the beginning again after a life that was long enough.
type backoff struct{ row int }

const (
	firstWait = time.Second
	longWait  = time.Minute
	longLife  = time.Minute
)

// next gives the wait after a life.
func (b *backoff) next(lived time.Duration) time.Duration {
	if lived >= longLife {
		b.row = 0
	}
	b.row++
	if b.row > 6 {
		return longWait
	}
	return min(firstWait<<(b.row-1), longWait)
}

// again tells whether the program is started again after an end.
func again(restart string, end ending) bool {
	switch restart {
	case config.RestartAlways:
		return true
	case config.RestartOnFailure:
		return end.exit.Code != holdfast.ExitDone
	}
	return false
}
