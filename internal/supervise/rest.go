package supervise

import (
	"runtime/debug"
	"time"
)

// restAfter is how long nothing must have happened to the backups before their
// memory is given back: what follows a backup uses it again.
const restAfter = 2 * time.Second

// A rest gives memory back to the system once the backups are at rest. A
// supervisor shares a small machine with its program and does nothing most of the
// time; the runtime by itself would keep what one backup needed for minutes.
type rest struct{ timer *time.Timer }

func newRest() *rest { return newRestWith(debug.FreeOSMemory) }

func newRestWith(giveBack func()) *rest {
	r := &rest{timer: time.AfterFunc(restAfter, giveBack)}
	r.timer.Stop() // there is nothing to give back yet
	return r
}

// disturb tells that something happened.
func (r *rest) disturb() { r.timer.Reset(restAfter) }

// end gives nothing back any more.
func (r *rest) end() { r.timer.Stop() }
