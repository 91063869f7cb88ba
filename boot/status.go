package boot

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Status is how a store stands: where the data lies and why, what the storage is
// worth, how the backups and the tasks go. It is what HOLDFAST_STATUS, `holdfast
// status` and every panel show.
type Status = holdfast.Standing

// The states of a store, in Status.State.
const (
	Starting  = holdfast.StandingStarting
	Ready     = holdfast.StandingReady
	Degraded  = holdfast.StandingDegraded  // the storage cannot hold the database: it lies in memory
	Restoring = holdfast.StandingRestoring // statements wait for a restore
	Stopping  = holdfast.StandingStopping
	Stopped   = holdfast.StandingStopped
)

// Status tells how the store stands now.
func (s *Store) Status() Status {
	backups, tasks := s.keeper.Standing(), append([]holdfast.TaskStanding{s.keeper.Task()}, s.runner.Standing()...)
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.standing
	out.At = holdfast.At(time.Now())
	out.Backups, out.Tasks = backups, tasks
	out.Sources = slices.Clone(s.standing.Sources)
	if s.marker != nil {
		survival := s.marker.Survival()
		out.Survival = &survival
	}
	for i := range out.Sources {
		src := &out.Sources[i]
		if s.location != nil {
			src.At = s.location.at
		}
		if s.degraded != nil {
			src.DegradedSince, src.Reason = new(holdfast.At(s.degraded.since)), s.degraded.reason
		}
	}
	if out.State == holdfast.StandingReady && s.degraded != nil {
		out.State = holdfast.StandingDegraded
	}
	for _, p := range s.problems {
		out.Problems = append(out.Problems, p)
	}
	slices.SortFunc(out.Problems, func(a, b holdfast.Problem) int {
		return cmp.Or(weight(a.Severity)-weight(b.Severity), cmp.Compare(a.Message, b.Message))
	})
	out.Message = verdict(&out)
	return out
}

// weight orders severities, the worst first.
func weight(s holdfast.Severity) int {
	return slices.Index([]holdfast.Severity{holdfast.Damaged, holdfast.Incomplete, holdfast.Warning}, s)
}

// verdict says in one sentence how a store stands.
func verdict(st *Status) string {
	switch st.State {
	case holdfast.StandingStarting:
		return "the database is being prepared"
	case holdfast.StandingRestoring:
		return "statements wait for a restore"
	case holdfast.StandingStopping:
		return "the program is ending; the last backup is being made"
	case holdfast.StandingStopped:
		return "the program has ended"
	case holdfast.StandingDegraded:
		return fmt.Sprintf("the database lies in memory since %s: %s; %s", st.Sources[0].DegradedSince, st.Sources[0].Reason, saved(st.Backups))
	}
	return "the database is in place; " + saved(st.Backups)
}

// saved says how the backups stand.
func saved(b holdfast.BackupStanding) string {
	switch {
	case b.Standby != "":
		return "its backups are made by " + b.Standby
	case b.Error != "":
		return "the last backup failed: " + b.Error
	case b.Last == "":
		return "there is no backup yet"
	case b.Unsaved != nil:
		return fmt.Sprintf("changes since %s are not in a backup yet", b.Unsaved)
	}
	return "everything is in backup " + string(b.Last)
}

// state sets the state of the store.
func (s *Store) state(state holdfast.StandingState) {
	s.mu.Lock()
	s.standing.State = state
	s.mu.Unlock()
	s.changed()
}

// source changes what is known of the database.
func (s *Store) sourceStanding(change func(*holdfast.SourceStanding)) {
	s.mu.Lock()
	if len(s.standing.Sources) == 0 {
		s.standing.Sources = []holdfast.SourceStanding{{Name: s.o.source.Name, Kind: holdfast.KindSQLite, Path: s.o.Database}}
	}
	sources := slices.Clone(s.standing.Sources) // a status that was given out stays
	change(&sources[0])
	s.standing.Sources = sources
	s.mu.Unlock()
	s.changed()
}

// changed has the status published soon.
func (s *Store) changed() {
	select {
	case s.told <- struct{}{}:
	default:
	}
}

// publishPause keeps a busy store from writing its status all the time.
const publishPause = 200 * time.Millisecond

// publish writes the status for other processes, until ctx ends.
func (s *Store) publish(ctx context.Context) {
	failed := false
	for {
		err := s.control.Publish(s.Status())
		if err != nil && !failed {
			s.log.Warn("the status cannot be published", "error", err)
		}
		failed = err != nil
		if !pause(ctx, publishPause) {
			return
		}
		select {
		case <-s.told:
		case <-time.After(s.pace.publish):
		case <-ctx.Done():
			return
		}
	}
}

// pause waits, and tells whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
