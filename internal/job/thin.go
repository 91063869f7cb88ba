package job

import (
	"time"

	"github.com/holdfast-backup/holdfast"
)

const (
	// leastApart is the time between two pieces of news of the progress of one
	// step. It doubles after each doubleAfter of them, and mostProgress ends them.
	leastApart   = 250 * time.Millisecond
	doubleAfter  = 200
	mostProgress = 2000
	// mostSteps bounds the steps that are told apart.
	mostSteps = 1000
)

// A step is what progress is about.
type step struct {
	op     string
	step   holdfast.Step
	backup holdfast.BackupName
	source string
}

// A thinner lets so much progress through that a job of days fills no disk.
type thinner struct {
	last map[step]time.Time
	told int
}

// passes tells whether a piece of news is passed on. Whatever is not progress is.
func (t *thinner) passes(e holdfast.Event, now time.Time) bool {
	s := step{e.Op, e.Step, e.Backup, e.Source}
	if e.State != holdfast.Progress {
		delete(t.last, s)
		return true
	}
	if t.told >= mostProgress {
		return false
	}
	apart := leastApart << (t.told / doubleAfter)
	if before, ok := t.last[s]; ok {
		// A clock that was put back silences nothing.
		if since := now.Sub(before); since >= 0 && since < apart {
			return false
		}
	}
	if t.last == nil || len(t.last) >= mostSteps {
		t.last = map[step]time.Time{}
	}
	t.last[s] = now
	t.told++
	return true
}
