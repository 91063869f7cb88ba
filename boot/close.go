package boot

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/boot/internal/pool"
)

// errClosed is why a store's context has ended, if no signal came.
var errClosed = errors.New("the store was closed")

// Close ends the store: tasks are told to end, the database is closed, and a last
// backup is made if something has changed, all within ShutdownTimeout. It can
// repeat, also side by side; every call returns when the store is closed, with the
// same error. An error tells that changes are in no backup; what lies on disk
// is sound all the same.
func (s *Store) Close() error {
	s.ending.Store(true)
	s.closing.Do(func() {
		s.closeErr = s.close()
		delist(s.o.Database)
		close(s.closed)
	})
	return s.closeErr
}

// deadline is when the end must be over.
func (s *Store) deadline() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := s.signalled
	if begun.IsZero() {
		begun = time.Now()
	}
	return begun.Add(s.o.config.Schedule.ShutdownTimeout)
}

// leastLast is the time that the last backup has, however late Close was called.
const leastLast = time.Second

func (s *Store) close() error {
	ctx, cancel := context.WithDeadline(context.Background(), later(s.deadline(), time.Now().Add(leastLast)))
	defer cancel()
	s.state(holdfast.StandingStopping)
	s.leave(errClosed)
	s.awaitUrgent(ctx)
	s.rest()
	s.closeDesk(ctx)
	s.await(ctx, &s.busy, "a task")
	turned := s.take(ctx) == nil // else a restore goes on; the next start settles it
	if turned && s.displaced() {
		s.tell("the displaced database could not be copied", s.fall(ctx, reasonOf(s.displacedError())))
	}
	err := s.closePool(ctx)
	if _, lerr := s.keeper.Last(ctx); lerr != nil {
		s.log.Error("the last backup failed", "database", s.o.Database, "error", lerr)
		err = errors.Join(err, lerr)
	}
	switch {
	case turned && s.fallen() != nil:
		err = s.lastWriteBack(ctx, err)
	case turned:
		s.tidy(ctx)
	}
	s.closeMarker(ctx)
	if turned {
		s.pass()
	}
	s.die()
	s.await(ctx, &s.group, "a backup")
	s.state(holdfast.StandingStopped)
	if perr := s.control.Publish(s.Status()); perr != nil {
		s.log.Warn("the status cannot be published", "error", perr)
	}
	s.tell("the program could not be unlisted", s.control.Close())
	s.log.Info("closed", "database", s.o.Database)
	return err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// errShut is how statements fail that come too late.
var errShut = errors.New("the store is closed")

// refuseShut refuses what a store cannot do any more: nobody would wait for it, nor
// keep others from the database meanwhile.
func (s *Store) refuseShut(op, object string) error {
	if !s.shut.Load() {
		return nil
	}
	return &holdfast.Error{Op: op, Object: object, Err: holdfast.Kindf(holdfast.ErrUsage, "%w", errShut), Hint: "call it before Close"}
}

// openFor makes what the pool opens connections with.
func (s *Store) openFor(open pool.Opener) pool.Opener {
	return func(ctx context.Context, uri string) (driver.Conn, error) {
		if s.shut.Load() {
			return nil, errShut
		}
		return s.openInPlace(ctx, open, uri)
	}
}

// closePool closes the database for the bot, after what is at work if that does
// not take long: the last backup should have everything that was acknowledged.
func (s *Store) closePool(ctx context.Context) error {
	limited, cancel := third(ctx)
	defer cancel()
	hold, err := s.pool.Hold(limited)
	s.shut.Store(true)
	if err != nil {
		s.log.Warn("something is still at work on the database; what it writes may miss the last backup", "database", s.o.Database, "error", err)
	} else {
		defer hold.Release()
	}
	return s.pool.DB().Close()
}

// third leaves two thirds of the time to what comes after.
func third(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	return context.WithTimeout(ctx, time.Until(deadline)/3)
}

// running names the tasks that run.
func (s *Store) running() (names []string) {
	for _, t := range s.runner.Standing() {
		if t.Running {
			names = append(names, t.Name)
		}
	}
	return names
}

// awaitUrgent waits for the backup that a signal began.
func (s *Store) awaitUrgent(ctx context.Context) {
	s.mu.Lock()
	urgent := s.urgent
	s.mu.Unlock()
	if urgent == nil {
		return
	}
	select {
	case <-urgent:
	case <-ctx.Done():
	}
}

// await waits for a group, no longer than a third of what is left: what does not
// end must not take the time of the last backup.
func (s *Store) await(ctx context.Context, group *sync.WaitGroup, what string) {
	ctx, cancel := third(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.log.Warn(what+" does not end; it is left behind", "database", s.o.Database, "running", s.running())
	}
}

// tidy moves into the database what is left in its log: a backup that was reading
// when the pool was closed keeps SQLite from doing so. The log would be taken up by
// the next start, but the file alone should be the database.
func (s *Store) tidy(ctx context.Context) {
	if _, err := os.Lstat(s.o.Database + "-wal"); err != nil {
		return // there is none
	}
	db := s.o.private(s.diskURI)
	_, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err = errors.Join(err, db.Close()); err != nil {
		s.log.Info("the log stays beside the database", "database", s.o.Database, "error", err)
	}
}

// lastWriteBack tries once more to bring the database from memory to disk. If that
// fails and there is no last backup either, the changes are lost.
func (s *Store) lastWriteBack(ctx context.Context, err error) error {
	s.mu.Lock()
	l := s.location
	s.mu.Unlock()
	werr := s.works(ctx, room)
	if werr == nil {
		werr = s.writeBack(ctx, func(string) {}) // the pool is closed
	}
	if werr == nil {
		return nil // what is on disk again is not lost, backup or not
	}
	if err != nil && l.leave != nil {
		s.log.Error("the database stays in memory for the next start, since it can go neither to disk nor into a backup", "database", s.o.Database, "at", l.at, "error", werr)
		return errors.Join(err, l.leave())
	}
	s.log.Error("the database in memory ends with the program; what is in the backups is all that stays", "database", s.o.Database, "error", werr)
	return errors.Join(err, l.drop())
}

// closeMarker marks the end as clean, and the data as it is now as sound.
func (s *Store) closeMarker(ctx context.Context) {
	s.mu.Lock()
	marker := s.marker
	s.mu.Unlock()
	if s.fallen() == nil {
		if state, _, err := s.plain.Peek(); err == nil {
			s.tell("the clean end could not be marked", marker.Trust(state))
		}
	}
	r, err := s.keeper.Repository(ctx)
	if err != nil {
		r = nil // the lease runs out by itself
	}
	if err := marker.Close(ctx, r); err != nil {
		s.log.Warn("the end could not be told to other instances", "error", err)
	}
}
