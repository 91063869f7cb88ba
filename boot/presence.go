package boot

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/startup"
	"github.com/holdfast-backup/holdfast/internal/survival"
)

// presenceRetry is how soon the repository is asked again that could not be
// asked, or is not made yet.
const presenceRetry = 3 * time.Second

// presence tells the other instances of the same data that this one lives, and
// looks after them, until ctx ends.
func (s *Store) presence(ctx context.Context) {
	lease := s.pace.lease
	if lease == 0 {
		lease = survival.DefaultLease
	}
	met, looked := false, false
	var last string
	for {
		s.mu.Lock()
		marker := s.marker
		s.mu.Unlock()
		r, err := s.keeper.Repository(ctx)
		switch {
		case errors.Is(err, holdfast.ErrNotFound):
			marker.NoRecords()
		case err == nil:
			if met {
				err = marker.Renew(ctx, r)
			} else {
				err = marker.Reconcile(ctx, r)
			}
		}
		wait := lease / 3
		if met = met || err == nil; !met {
			wait = min(wait, presenceRetry)
		}
		if err != nil {
			s.log.Debug("the other instances could not be looked at", "error", err)
		}
		if words := marker.Survival().Words; words != last && met {
			last = words
			s.log.Info("storage over restarts", "database", s.o.Database, "survival", marker.Survival().State, "words", words)
		}
		s.changed()
		if met && !looked {
			looked = true
			s.lookOvertaken(ctx)
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// lookOvertaken tells of a backup that holds something newer than what was kept.
// It opens the database, which must not be where another library has it open.
func (s *Store) lookOvertaken(ctx context.Context) {
	if s.o.Open != nil || s.fallen() != nil {
		return
	}
	p, err := startup.Overtaken(ctx, s.preparing(""))
	switch {
	case err != nil && ctx.Err() == nil:
		s.log.Warn("it could not be found out whether a backup is newer than the database", "error", err)
	case p != nil:
		s.note(problemOvertaken, *p)
		s.log.Warn(p.Message, "database", s.o.Database, "hint", p.Hint)
	}
}

// reopenMarker begins to mark the storage that works again.
func (s *Store) reopenMarker(ctx context.Context) {
	s.mu.Lock()
	old := s.marker
	s.mu.Unlock()
	if !s.noted(problemMarker) {
		return
	}
	r, err := s.keeper.Repository(ctx)
	if err != nil {
		r = nil // its lease runs out by itself
	}
	if err := old.Close(ctx, r); err != nil {
		s.log.Warn("the old marker could not be closed", "error", err)
	}
	s.openMarker()
}
