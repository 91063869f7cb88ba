package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/boot/internal/pool"
	"github.com/holdfast-backup/holdfast/internal/probe"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

const (
	// room is what must be free for a storage to count as working.
	room = 1 << 20
	// fallLimit bounds the move into memory, during which statements wait.
	fallLimit = 2 * time.Minute
)

// isFault tells which errors of statements say that the storage fails.
func (o Options) isFault() func(error) (storage, sure bool) {
	if o.Open != nil {
		return foreignFault
	}
	return sqlite.Fault
}

// foreignFaults are SQLite's own words, which every library passes on, and
// whether nothing was changed when they are said.
var foreignFaults = map[string]bool{
	"database or disk is full":             true,
	"attempt to write a readonly database": true,
	"unable to open database file":         true,
	"disk I/O error":                       false,
}

// foreignFault is sqlite.Fault for a library whose error types are not known.
func foreignFault(err error) (storage, sure bool) {
	for words, harmless := range foreignFaults {
		if strings.Contains(err.Error(), words) {
			return true, harmless
		}
	}
	return false, false
}

// fault is called when a statement failed because of the storage, and by the
// monitor. When it returns, the pool has moved, or it stays.
func (s *Store) fault(cause error) {
	ctx, cancel := context.WithTimeout(s.work, fallLimit)
	defer cancel()
	if err := s.take(ctx); err != nil {
		return // the store is being closed
	}
	defer s.pass()
	if s.fallen() != nil {
		return
	}
	failing := probe.Quick(ctx, filepath.Dir(s.o.Database), room)
	switch {
	case failing != nil:
		s.unusable()
	case s.displaced():
		failing = s.displacedError()
	default:
		s.log.Warn("a statement failed because of the storage, which works", "database", s.o.Database, "error", cause)
		return
	}
	reason := reasonOf(failing)
	err := s.fall(ctx, reason)
	if err != nil {
		level := slog.LevelError
		if s.noted(problemStorage) {
			level = slog.LevelDebug // each statement comes here
		}
		s.note(problemStorage, holdfast.Problem{
			Severity: holdfast.Damaged, Object: s.o.Database, Message: fmt.Sprintf("the storage fails (%s), and the database could not go on in memory: %v", reason, err),
			Hint: "statements fail until the storage works",
		})
		s.log.Log(ctx, level, "the storage fails, and the database could not go on in memory", "database", s.o.Database, "reason", reason, "error", err)
	}
}

// unusable notes that the storage cannot hold the database.
func (s *Store) unusable() {
	s.sourceStanding(func(src *holdfast.SourceStanding) {
		if src.Storage != nil {
			storage := *src.Storage
			storage.Usable = false
			src.Storage = &storage
		}
	})
}

// errNoMemory is why the database stays where it is.
var errNoMemory = errors.New("Options.NoMemory forbids to go on in memory")

// fall moves the database into memory. One that is displaced is copied over the
// connections that have it open still, since its file has no name any more.
func (s *Store) fall(ctx context.Context, reason string) error {
	displaced := s.displaced()
	if s.o.NoMemory && !displaced {
		return errNoMemory
	}
	hold, err := s.pool.HoldOpen(ctx)
	if err != nil {
		return err
	}
	defer hold.Release()
	var l *location
	from := origin{words: "the connections that had it open"}
	if displaced {
		l, err = s.rescued(ctx, hold)
	}
	switch {
	case displaced && !errors.Is(err, pool.ErrNoneOpen) && err != nil:
		return fmt.Errorf("what is written since can be read over the open connections only, and could not be copied: %w", err)
	case l != nil:
		if err := hold.Close(); err != nil {
			s.log.Debug("a connection to the displaced database did not close", "error", err)
		}
	case s.o.NoMemory:
		return errNoMemory
	default:
		if err := hold.Close(); err != nil {
			return err
		}
		if l, from, _, err = s.intoMemory(ctx); err != nil {
			return err
		}
	}
	hold.Move(l.uri)
	s.settleInMemory(l, from, reason)
	if !s.o.NoMemory {
		return nil
	}
	if err := s.works(ctx, room); err != nil {
		return err
	}
	return s.writeBack(ctx, hold.Move)
}

// reasonOf says in few words why the storage cannot hold the database.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*holdfast.Error](err); ok && e.Err != nil {
		return fmt.Sprintf("%s %s: %v", e.Op, e.Object, e.Err)
	}
	return err.Error()
}

// monitor looks after the storage until ctx ends.
func (s *Store) monitor(ctx context.Context) {
	var reminded, tried time.Time
	wait := s.pace.retry
	for {
		d := s.fallen()
		every := s.pace.look
		if d != nil {
			every = s.pace.retry
		}
		if !s.lookOut(ctx, every) {
			return
		}
		if d = s.fallen(); d == nil {
			wait = s.pace.retry
			if err := s.ailing(ctx); err != nil && ctx.Err() == nil {
				s.fault(err)
			} else if err == nil && s.noted(problemStorage) {
				s.probeAgain(ctx)
				s.settled(problemStorage)
			}
			continue
		}
		if now := time.Now(); now.Sub(reminded) >= s.pace.remind {
			if !reminded.IsZero() || now.Sub(d.since) >= s.pace.remind {
				s.log.Warn("the database still lies in memory", "database", s.o.Database, "since", holdfast.At(d.since), "reason", d.reason)
			}
			reminded = now
		}
		if time.Since(tried) < wait {
			continue
		}
		if err := s.comeBack(ctx, d); err != nil && ctx.Err() == nil {
			tried = time.Now()
			wait = min(2*wait, time.Minute)
			s.log.Warn("the storage answers, but the database could not go back to disk", "database", s.o.Database, "error", err)
		}
	}
}

// comeBack moves the database from memory to disk, if the storage works.
func (s *Store) comeBack(ctx context.Context, d *degraded) error {
	s.mu.Lock()
	l := s.location
	s.mu.Unlock()
	size := int64(0)
	if look, err := l.source.Inspect(ctx, holdfast.InspectOptions{}); err == nil {
		size = look.Bytes
	}
	if err := s.works(ctx, size+room); err != nil {
		if ctx.Err() == nil && s.works(ctx, 0) == nil { // that it does not work at all has been told
			s.note(problemStorage, holdfast.Problem{
				Severity: holdfast.Warning, Object: s.o.Database, Message: "the database cannot go back to disk yet: " + reasonOf(err),
				Hint: "it is written whole beside what lies there before that is replaced: make room for it",
			})
		}
		return nil
	}
	if state, settled, err := s.plain.Peek(); err == nil && !settled && state == d.disk {
		return nil // whether somebody else writes there shows in a moment
	}
	limited, cancel := context.WithTimeout(ctx, fallLimit)
	defer cancel()
	if err := s.take(limited); err != nil {
		return err
	}
	defer s.pass()
	if s.fallen() != d {
		return nil // it is back already
	}
	hold, err := s.pool.Hold(limited)
	if err != nil {
		return err
	}
	defer hold.Release()
	if err := s.writeBack(limited, hold.Move); err != nil {
		return err
	}
	s.reopenMarker(limited)
	return nil
}

// writeBack puts what lies in memory where it belongs, while nothing is at work,
// and sends what follows there.
func (s *Store) writeBack(ctx context.Context, move func(uri string)) error {
	s.mu.Lock()
	l, d := s.location, s.degraded
	s.mu.Unlock()
	state, settled, err := s.plain.Peek()
	ours := err == nil && settled && state == d.disk
	aside, err := s.placed(ctx, l.save)
	if err != nil {
		return err
	}
	move(s.diskURI)
	s.keeper.SetSources([]holdfast.Source{s.disk})
	s.mu.Lock()
	s.location, s.degraded = s.onDisk(), nil
	s.mu.Unlock()
	s.remember()
	s.settled(problemMemory, problemStorage)
	s.log.Info("the database is back on disk", "database", s.o.Database, "degraded_since", holdfast.At(d.since))
	s.probeAgain(ctx)
	switch {
	case len(aside) == 0:
	case ours:
		if err := removeAll(aside); err != nil {
			s.log.Warn("the state from before could not be removed", "paths", aside, "error", err)
		}
	default:
		s.note(problemAside, holdfast.Problem{
			Severity: holdfast.Warning, Object: strings.Join(aside, ", "),
			Message: "what lay on disk is not what the database in memory began from; it was kept aside",
			Hint:    "look whether something in it is missed, then remove it",
		})
		s.log.Warn("what lay on disk was kept aside", "paths", aside)
	}
	return l.drop()
}

// probeAgain finds out what the storage can do now.
func (s *Store) probeAgain(ctx context.Context) {
	storage := probe.Dir(ctx, filepath.Dir(s.o.Database), s.probing())
	s.sourceStanding(func(src *holdfast.SourceStanding) { src.Storage = &storage })
}

// probing is what a directory must be good for.
func (s *Store) probing() probe.Options {
	return probe.Options{Make: true, Need: room, Repository: s.o.config.Repository, SQLite: true}
}
