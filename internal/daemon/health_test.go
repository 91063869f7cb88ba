package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// A long command is around a verb.
type long struct{ takes time.Duration }

func (l long) Before(context.Context, engine.Verb) error { time.Sleep(l.takes); return nil }
func (l long) After(context.Context, engine.Verb) []holdfast.Problem {
	time.Sleep(l.takes)
	return nil
}

// A loop that waits for a command of the configuration does not hang: the service manager
// must not kill the daemon for it.
func TestPulses_ACommandMayTakeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pulses
		o := observed{inner: long{3 * mostSilent}, to: func(engine.Verb) {}, pulses: &p}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = o.Before(t.Context(), engine.Verb{})
			o.After(t.Context(), engine.Verb{})
		}()
		for range 5 {
			time.Sleep(mostSilent + time.Second)
			if err := p.alive(time.Now()); err != nil {
				t.Error(err)
			}
		}
		<-done
		time.Sleep(mostSilent + time.Second)
		if p.alive(time.Now()) == nil {
			t.Error("a loop that has not moved since lives")
		}
	})
}
