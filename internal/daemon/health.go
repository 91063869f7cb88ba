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

// gone forgets a loop that has ended.
func (p *pulses) gone(loop string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.last, loop)
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
