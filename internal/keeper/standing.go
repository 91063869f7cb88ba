package keeper

import (
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Standing tells how the backups stand.
func (k *Keeper) Standing() holdfast.BackupStanding {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := holdfast.BackupStanding{Failed: k.failed, Standby: k.standby}
	if k.last != nil {
		s.Last = k.last.Name
		if m := k.last.Metadata; m != nil {
			s.LastAt, s.LastTrigger = new(m.CreatedAt), m.Trigger
		}
	}
	s.LastChecked, s.Unsaved = stamp(k.lastChecked), stamp(k.unsaved)
	if k.failure != nil {
		s.Error = k.failure.Error()
	}
	if _, at, ok := k.nextDue(); ok && k.started && k.standby == "" {
		s.NextAt = new(holdfast.At(k.clock.Wall(max(at, k.clock.Passed()))))
	}
	return s
}

// Failure is why the last attempt to make a backup failed; nil if it did not.
func (k *Keeper) Failure() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failure
}

// stamp is a time, or nil for none.
func stamp(t time.Time) *holdfast.Time {
	if t.IsZero() {
		return nil
	}
	return new(holdfast.At(t))
}

// Problems are what is worth knowing of the newest backup and of what followed it:
// damage in the sources, replicas that lack something, changes that nobody watches.
func (k *Keeper) Problems() []holdfast.Problem {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Concat(k.problems, k.follows, k.unproven, k.unwatched)
}

// Task tells how the periodic backup stands.
func (k *Keeper) Task() holdfast.TaskStanding {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.task
	if next, ok := k.nextScheduled(); ok && !t.Running && k.standby == "" {
		t.NextAt = new(holdfast.At(k.clock.Wall(max(next, k.retryAt))))
	}
	return t
}

// taskBegins notes that the periodic backup is made.
func (k *Keeper) taskBegins() {
	k.mu.Lock()
	k.task.Running = true
	k.task.LastAt = new(holdfast.At(k.o.Now()))
	k.taskBegun = k.clock.Passed()
	k.mu.Unlock()
	k.o.Changed()
}

// taskEnds notes what became of it, under the lock.
func (k *Keeper) taskEnds(err error, now time.Duration) {
	k.task.Running = false
	k.task.Runs++
	k.task.LastMS = (now - k.taskBegun).Milliseconds()
	k.task.Error = ""
	if err != nil {
		k.task.Failures++
		k.task.Error = err.Error()
	}
}

// sayUnwatched tells once of which sources no change is seen.
func (k *Keeper) sayUnwatched() {
	k.mu.Lock()
	sources, schedule := k.sources, k.o.Config.Schedule
	k.unwatched = nil
	if schedule.OnChange > 0 {
		for _, s := range sources {
			if _, ok := s.(holdfast.Peeker); !ok {
				k.unwatched = append(k.unwatched, unwatched(s, schedule.Every))
			}
		}
	}
	told := slices.Clone(k.unwatched)
	k.mu.Unlock()
	for _, p := range told {
		k.log.Warn(p.Message, keySource, p.Source)
	}
}

func unwatched(s holdfast.Source, every time.Duration) holdfast.Problem {
	when := "it is backed up with the other sources only"
	if every > 0 {
		when = "it is backed up every " + every.String()
	}
	if t := s.Target(); t.Remote {
		return holdfast.Problem{Source: s.Name(), Severity: holdfast.Warning, Message: "the server at " + t.Path + " does not tell that something was written; " + when}
	}
	return holdfast.Problem{Source: s.Name(), Severity: holdfast.Warning, Message: "changes of a source of kind " + string(s.Kind()) + " cannot be seen; " + when}
}
