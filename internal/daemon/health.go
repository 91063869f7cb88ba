package daemon

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// mostSilent is how long a loop may say nothing before it is taken to hang. What a loop
// itself waits for is bounded well below: a repository that does not answer, a lease of
// somebody else.
const mostSilent = 10 * time.Minute

// pulses tell whether the loops of the daemon live. They follow the real time, whatever clock
// the work follows.
type pulses struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// beat says that a loop lives.
func (p *pulses) beat(loop string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = map[string]time.Time{}
	}
	p.last[loop] = time.Now()
}

// during says that a loop lives, until end is called: it waits for somebody who has a limit
// of his own, such as a command of the configuration.
func (p *pulses) during(loop string) (end func()) {
	p.beat(loop)
	done := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() {
		ticks := time.NewTicker(mostSilent / 10)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				p.beat(loop)
			case <-done:
				return
			}
		}
	})
	return func() { close(done); beating.Wait() }
}

// alive names the loops that hang.
func (p *pulses) alive(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var silent []string
	for loop, at := range p.last {
		if quiet := now.Sub(at); quiet > mostSilent {
			silent = append(silent, fmt.Sprintf("%s has not moved for %s", loop, quiet.Round(time.Second)))
		}
	}
	if len(silent) == 0 {
		return nil
	}
	slices.Sort(silent)
	return fmt.Errorf("%s", strings.Join(silent, "; "))
}
