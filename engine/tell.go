package engine

import (
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A tellingSink shows what a source tells of its capture as progress of that step.
type tellingSink struct {
	holdfast.Sink
	send func(holdfast.Event)

	mu   sync.Mutex
	last time.Time
}

var _ holdfast.Teller = (*tellingSink)(nil)

// sink is where a source is captured to.
func (b *backup) sink(s holdfast.Source) holdfast.Sink {
	return &tellingSink{Sink: b.pending.Sink(s.Name()), send: func(e holdfast.Event) {
		e.Step, e.State, e.Source = holdfast.StepCapture, holdfast.Progress, s.Name()
		b.send(e)
	}}
}

// Tell implements holdfast.Teller.
func (t *tellingSink) Tell(message string, done, total int64) {
	t.mu.Lock()
	now := time.Now()
	soon := now.Sub(t.last) < progressEvery
	if !soon {
		t.last = now
	}
	t.mu.Unlock()
	if !soon {
		t.send(holdfast.Event{Message: message, Done: done, Total: max(total, done)})
	}
}
