package boot

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/control"
)

// opened tells whether the database was handed out.
func (s *Store) opened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.location != nil
}

// holdLimit bounds the wait for statements and transactions that are at work.
const holdLimit = 30 * time.Second

// A holder lets go of the database around a restore, in this process or in
// another, and opens it again.
type holder struct{ s *Store }

var (
	_ engine.Owner    = holder{}
	_ control.Handler = holder{}
)

// Stop returns when nothing of the bot's has the database open. Its statements
// wait until Start.
func (h holder) Stop(ctx context.Context, sources []string) error {
	s := h.s
	if !slices.Contains(sources, s.o.source.Name) || !s.opened() {
		return nil // what a start restores nobody has open yet
	}
	ctx, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	if err := s.take(ctx); err != nil {
		return err
	}
	if s.displaced() { // what is open must not be closed before it is copied
		if err := s.fall(ctx, reasonOf(s.displacedError())); err != nil {
			s.pass()
			return err
		}
	}
	if d := s.fallen(); d != nil {
		s.pass()
		return &holdfast.Error{
			Op: "let go of", Object: s.o.Database, Err: holdfast.Kindf(holdfast.ErrRefused, "it lies in memory: %s", d.reason),
			Hint: "restore from the program itself, which can do that in memory; or make the storage work first, then the database comes back by itself",
		}
	}
	hold, err := s.pool.Hold(ctx)
	if err != nil {
		s.pass()
		return err
	}
	s.let = hold
	s.state(holdfast.StandingRestoring)
	s.log.Info("statements wait for a restore", "database", s.o.Database)
	return nil
}

// Start lets the bot's statements go on with what is there now, brought up to
// date by the migrations: a backup may be older than the program.
func (h holder) Start(ctx context.Context) error {
	s := h.s
	if s.let == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fallLimit) // the bot waits, whoever gave up
	defer cancel()
	standing, err := s.migrate(ctx, s.diskURI, saveBeside)
	if standing != nil {
		s.sourceStanding(func(src *holdfast.SourceStanding) { src.Migration = standing })
	}
	if err != nil {
		s.note(problemMigration, holdfast.Problem{
			Severity: holdfast.Incomplete, Object: s.o.Database, Message: "what was restored could not be brought up to date: " + err.Error(),
			Hint: "undo the restore, or restore a newer backup",
		})
	} else {
		s.settled(problemMigration)
	}
	hold := s.let
	s.let = nil
	s.remember()
	hold.Release()
	s.state(holdfast.StandingReady)
	s.pass()
	s.log.Info("statements go on", "database", s.o.Database)
	return err
}

// recoverEvery is the pause between two tries to settle a restore that was cut.
const recoverEvery = 3 * time.Second

// Abandoned settles a restore whose process is gone. Until that is done nobody
// knows what lies in the database's place, so the statements go on waiting.
func (h holder) Abandoned(ctx context.Context) {
	s := h.s
	if s.let == nil {
		return
	}
	s.log.Warn("whoever restored is gone; what was begun is being settled", "database", s.o.Database)
	for {
		err := s.recover(ctx)
		if err == nil {
			break
		}
		s.note(problemRecover, holdfast.Problem{
			Severity: holdfast.Damaged, Object: s.o.Database, Message: "a restore was cut, and cannot be settled: " + err.Error(),
			Hint: "it is tried again; statements wait meanwhile",
		})
		s.log.Error("a restore that was cut cannot be settled; it is tried again", "database", s.o.Database, "error", err)
		if !pause(s.life, recoverEvery) {
			break // the program ends: the next start settles it
		}
	}
	s.settled(problemRecover)
	if err := h.Start(ctx); err != nil {
		s.log.Error("the database could not be brought up to date", "database", s.o.Database, "error", err)
	}
}

// recover finishes or undoes a restore that was cut.
func (s *Store) recover(ctx context.Context) error {
	e, err := s.keeper.Engine(ctx)
	if err != nil {
		return err
	}
	if _, err = e.Recover(ctx); errors.Is(err, engine.ErrUnsettled) {
		return nil // in a store of its own, which the database does not wait for
	}
	return err
}

// Standing implements control.Handler.
func (h holder) Standing() holdfast.Standing { return h.s.Status() }
