package settings

import (
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/around"
)

// Tests remembers the last test of each kind as long as the daemon lives, so that its
// outcome is still there when the page is asked for again.
type Tests struct {
	mu     sync.Mutex
	sent   []alarm.Delivery
	sentAt time.Time
	trials map[string]trial
}

type trial struct {
	around.Trial
	at time.Time
}

func (t *Tests) noteSent(sent []alarm.Delivery, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent, t.sentAt = slices.Clone(sent), at
}

func (t *Tests) delivered() ([]alarm.Delivery, time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent, t.sentAt
}

// noteTrial keeps the outcome of what was configured when it was tried: there are only so
// many names.
func (t *Tests) noteTrial(out around.Trial, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.trials == nil {
		t.trials = map[string]trial{}
	}
	t.trials[out.Hook] = trial{out, at}
}

func (t *Tests) tried(name string) (*around.Trial, time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found, ok := t.trials[name]; ok {
		return &found.Trial, found.at
	}
	return nil, time.Time{}
}
