package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/control"
	"github.com/holdfast-backup/holdfast/internal/probe"
	"github.com/holdfast-backup/holdfast/internal/startup"
	"github.com/holdfast-backup/holdfast/internal/survival"
)

// Start brings the database into a state that a program can work with, and
// gives it out: it tries what the storage can do, restores the newest good backup
// if the database is missing, empty or damaged, and runs the migrations. A healthy
// database is never replaced, and a start that finds one with nothing to migrate
// waits for no network: the first backup, the comparison with other instances and
// everything else that is remote happen in the background.
//
// An error says what is in the way: a database that is damaged and has no backup, a
// lost one whose backups cannot be reached (an empty database beside its backups
// would be worse), a migration that failed (the state before it is then in
// place), another process that has been preparing the same database for long.
// A storage that cannot hold a database is no error; the Status says so.
//
// ctx bounds the start, nothing that comes after it.
func Start(ctx context.Context, o Options) (*Store, error) { return start(ctx, o, usualPace) }

func start(ctx context.Context, o Options, p pace) (*Store, error) {
	set, err := o.settle()
	if err != nil {
		return nil, err
	}
	s, err := newStore(set, p)
	if err != nil {
		return nil, err
	}
	s.alone = enlist(set.Database)
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(&holdfast.Error{Op: "start", Object: set.Database, Err: err}, s.giveUp(ctx))
	}
	s.begin()
	return s, nil
}

// open is everything before the database is handed out.
func (s *Store) open(ctx context.Context) error {
	s.sourceStanding(func(*holdfast.SourceStanding) {})
	for _, w := range s.o.config.Warnings {
		s.log.Warn(w.Message, "setting", w.Object, "hint", w.Hint)
	}
	storage := probe.Dir(ctx, filepath.Dir(s.o.Database), s.probing())
	s.sourceStanding(func(src *holdfast.SourceStanding) { src.Storage = &storage })
	for _, f := range storage.Findings {
		level := slog.LevelInfo
		if f.Severity == holdfast.Damaged {
			level = slog.LevelWarn
		}
		s.log.Log(ctx, level, "storage", "directory", storage.Dir, "finding", f.Code, "message", f.Message, "hint", f.Hint)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case storage.Usable:
		if slices.ContainsFunc(storage.Findings, func(f holdfast.Finding) bool { return f.Code == holdfast.FindingNoLocks }) {
			return s.openOnDisk(ctx)
		}
		return exclusively(ctx, s.beside(lockSuffix), func() error { return s.openOnDisk(ctx) })
	case s.o.NoMemory:
		return &holdfast.Error{
			Op: "use", Object: storage.Dir, Err: holdfast.Kindf(holdfast.ErrRefused, "it cannot hold a database: %s", unusable(storage)),
			Hint: "without Options.NoMemory the database would lie in memory",
		}
	}
	return s.openInMemory(ctx, unusable(storage))
}

// unusable says why a storage cannot hold a database.
func unusable(storage holdfast.Storage) string {
	for _, f := range storage.Findings {
		if f.Severity == holdfast.Damaged {
			return f.Message
		}
	}
	return "it does not work"
}

// openOnDisk prepares the database where it belongs.
func (s *Store) openOnDisk(ctx context.Context) error {
	marker := s.openMarker()
	s.bringHome(ctx)
	decision, err := startup.Prepare(ctx, s.preparing(marker.Trusted()))
	s.sourceStanding(func(src *holdfast.SourceStanding) { src.Start = &decision })
	if err != nil {
		return err
	}
	// From here on another library may have the file open.
	s.keeper.SetSources([]holdfast.Source{s.disk})
	how := saveBackup
	if decision.Action == holdfast.StartNew {
		how = saveNothing
	}
	if err := s.migrateAtStart(ctx, s.diskURI, how); err != nil {
		return err
	}
	if err := s.touch(ctx, s.diskURI); err != nil {
		return err
	}
	s.handOut(s.onDisk())
	return nil
}

// touch opens the database as the bot will, and makes it if there is none: a
// library that cannot open it is told now, and there is something to back up.
func (s *Store) touch(ctx context.Context, uri string) (err error) {
	db := s.o.private(uri)
	defer func() { err = errors.Join(err, db.Close()) }()
	var version, pages int64
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return &holdfast.Error{Op: "open", Err: err}
	}
	if err := db.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil || pages > 0 {
		return err
	}
	if _, err := db.ExecContext(ctx, "PRAGMA user_version = 0"); err != nil { // writes the first page
		return &holdfast.Error{Op: "make", Err: err}
	}
	return nil
}

// preparing are the options of package startup.
func (s *Store) preparing(trusted string) startup.Options {
	return startup.Options{
		Source: s.plain, Mirror: s.o.source.Mirror, Engine: s.keeper.Engine, StateDir: s.stateDir, Trusted: trusted, Unopened: s.alone,
		Logger: s.log, Observer: s.o.Observer,
	}
}

// openInMemory begins with the newest state that can be reached, in memory.
func (s *Store) openInMemory(ctx context.Context, reason string) error {
	begun := time.Now()
	s.openMarker()
	l, from, passed, err := s.intoMemory(ctx)
	if err != nil {
		return fmt.Errorf("the storage cannot hold the database (%s), and memory has nothing to begin from: %w", reason, err)
	}
	decision := holdfast.StartDecision{
		Action: holdfast.StartRestored, Found: reason, Reason: "the database lies in memory, loaded from " + from.words,
		Backup: from.name, From: from.from, Passed: passed, TookMS: time.Since(begun).Milliseconds(),
	}
	switch {
	case from.fill == nil:
		decision.Action = holdfast.StartNew
	case from.at.IsZero():
		decision.Action = holdfast.StartKept
	default:
		decision.BackupAt = new(holdfast.At(from.at))
	}
	s.sourceStanding(func(src *holdfast.SourceStanding) { src.Start = &decision })
	s.keeper.SetSources([]holdfast.Source{l.source})
	// A migration that fails leaves what memory began from where it is.
	if err := s.migrateAtStart(ctx, l.uri, saveNothing); err != nil {
		return errors.Join(err, l.drop())
	}
	s.settleInMemory(l, from, reason)
	s.handOut(l)
	return nil
}

// migrateAtStart runs the migrations before anybody uses the database.
func (s *Store) migrateAtStart(ctx context.Context, uri string, how saving) error {
	standing, err := s.migrate(ctx, uri, how)
	if standing != nil {
		s.sourceStanding(func(src *holdfast.SourceStanding) { src.Migration = standing })
	}
	return err
}

// handOut lets the pool use the database.
func (s *Store) handOut(l *location) {
	s.pool.Use(l.uri)
	s.mu.Lock()
	s.location = l
	s.mu.Unlock()
	s.remember()
	s.state(holdfast.StandingReady)
}

// openMarker looks what the storage outlived, and leaves the mark of this start.
func (s *Store) openMarker() *survival.Marker {
	marker, err := survival.Open(survival.Options{Data: s.o.Database, Source: s.o.source.Name, Logger: s.log, Lease: s.pace.lease})
	if err != nil {
		s.note(problemMarker, holdfast.Problem{
			Severity: holdfast.Warning, Object: s.o.Database, Message: "it cannot be told whether the storage outlives restarts: " + err.Error(), Hint: holdfast.HintOf(err),
		})
	} else {
		s.settled(problemMarker)
	}
	s.mu.Lock()
	s.marker = marker
	s.mu.Unlock()
	return marker
}

// giveUp lets go of what a start that failed holds.
func (s *Store) giveUp(ctx context.Context) error {
	s.die()
	s.leave(errClosed)
	s.mu.Lock()
	marker := s.marker
	s.mu.Unlock()
	err := s.pool.DB().Close()
	delist(s.o.Database)
	if marker != nil {
		err = errors.Join(err, marker.Close(context.WithoutCancel(ctx), nil))
	}
	return err
}

// begin starts what runs in the background.
func (s *Store) begin() {
	var err error
	if s.control, err = control.Serve(s.stateDir, []holdfast.Source{s.plain}, holder{s}, s.log); err != nil {
		s.note(problemControl, holdfast.Problem{Severity: holdfast.Warning, Object: s.stateDir, Message: err.Error(), Hint: holdfast.HintOf(err)})
	}
	s.group.Go(func() { s.publish(s.life) })
	s.group.Go(func() { s.tell("backups ended", s.keeper.Run(s.life)) }) // Last joins what it has begun
	s.busy.Go(func() { s.tell("tasks ended", s.runner.Run(s.work)) })
	s.busy.Go(func() { s.monitor(s.work) })
	s.busy.Go(func() { s.presence(s.work) })
	if !s.o.NoSignals {
		s.watchSignals()
	}
}

// tell logs the error of something in the background.
func (s *Store) tell(what string, err error) {
	if err != nil {
		s.log.Error(what, "error", err)
	}
}
