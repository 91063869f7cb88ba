package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/startup"
)

// degraded is what is known while the database lies in memory.
type degraded struct {
	since  time.Time
	reason string
	// disk is the state of the files on disk that memory began from; empty if it
	// began from something else. Only what is still so may be replaced without a
	// trace.
	disk string
}

// fallen gives what is known if the database lies in memory, else nil.
func (s *Store) fallen() *degraded {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.degraded
}

// diskTries is how often the database on disk is loaded until nothing changes
// there meanwhile.
const diskTries = 4

// seen is what the files on disk look like; empty if that cannot be told.
func (s *Store) seen() string {
	state, _, err := s.plain.Peek()
	if err != nil {
		return ""
	}
	return state
}

// An origin is a state that memory can begin from.
type origin struct {
	words string
	at    time.Time // zero: it is the last state
	rank  int       // of startup.Rank
	name  holdfast.BackupName
	from  string
	fill  func(ctx context.Context, l *location) error
	disk  string // the state of the files, if it is the database on disk
}

// intoMemory makes a location in memory with the newest sound state that can be
// reached: what lies on disk, so that nothing acknowledged is lost, else the newest
// backup. Nobody has the database open.
func (s *Store) intoMemory(ctx context.Context) (l *location, from origin, passed []holdfast.Problem, err error) {
	try := func(o origin) bool {
		if l, err = s.loaded(ctx, o); err == nil {
			from = o
			return true
		}
		passed = append(passed, holdfast.Problem{Severity: holdfast.Warning, Source: s.o.source.Name, Object: o.words, Message: "passed over: " + err.Error(), Hint: holdfast.HintOf(err)})
		return false
	}
	if !s.opened() {
		if l, from = s.goOn(ctx); l != nil {
			return l, from, nil, nil
		}
	}
	if info, serr := os.Stat(s.o.Database); serr == nil && info.Size() > 0 {
		for i := range diskTries {
			before := s.seen()
			if !try(origin{words: "the database on disk", fill: s.fillFromDisk}) {
				break
			}
			from.disk = s.seen()
			if from.disk != before && i == diskTries-1 {
				from.disk = "" // it will be kept aside
			}
			if from.disk == before || from.disk == "" {
				return l, from, passed, nil
			}
			// SQLite tidied up when it was closed, or somebody else wrote.
			if err := l.drop(); err != nil {
				return nil, origin{}, passed, err
			}
		}
	}
	origins, reach := s.backupOrigins(ctx)
	for _, o := range origins {
		if ctx.Err() == nil && try(o) {
			return l, from, passed, nil
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, origin{}, passed, context.Cause(ctx)
	case reach != nil:
		return nil, origin{}, passed, fmt.Errorf("%w: %w", startup.ErrOutOfReach, reach)
	case len(passed) > 0:
		return nil, origin{}, passed, fmt.Errorf("%w: %s: %s", startup.ErrNothingUsable, passed[0].Object, passed[0].Message)
	}
	l, err = s.newMemory()
	return l, origin{words: "nothing, since there is no backup"}, nil, err
}

// loaded makes a location in memory from an origin. It must pass the database's
// own check.
func (s *Store) loaded(ctx context.Context, o origin) (*location, error) {
	l, err := s.newMemory()
	if err != nil {
		return nil, err
	}
	if err = o.fill(ctx, l); err == nil {
		err = s.quickCheck(ctx, l)
	}
	if err != nil {
		return nil, errors.Join(err, l.drop())
	}
	return l, nil
}

// quickCheck asks the database at a location to check itself.
func (s *Store) quickCheck(ctx context.Context, l *location) (err error) {
	db := s.o.private(l.uri)
	defer func() { err = errors.Join(err, db.Close()) }()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return holdfast.Kindf(holdfast.ErrDamaged, "it fails its check: %s", verdict)
	}
	return nil
}

// backupOrigins are the backups that memory can begin from, in the order in which a
// start tries them. The error tells that there may be more, out of reach.
func (s *Store) backupOrigins(ctx context.Context) (all []origin, reach error) {
	defer func() {
		all = append(all, s.mirrorOrigin()...) // last of the same moment
		slices.SortStableFunc(all, func(a, b origin) int { return cmp.Or(a.rank-b.rank, b.at.Compare(a.at)) })
	}()
	e, err := s.keeper.Engine(ctx)
	switch {
	case errors.Is(err, holdfast.ErrNotFound):
		return all, nil
	case err != nil:
		return all, err
	}
	found, problems, err := e.Candidates(ctx)
	for _, c := range found {
		if slices.ContainsFunc(c.Sources, func(m holdfast.SourceMetadata) bool { return m.Name == s.o.source.Name }) {
			all = append(all, s.originOf(e, c))
		}
	}
	for _, p := range problems {
		err = cmp.Or(err, errors.New(p.Message))
	}
	return all, err
}

// mirrorOrigin is the mirror file, if there is one.
func (s *Store) mirrorOrigin() []origin {
	m := s.o.source.Mirror
	if m == "" {
		return nil
	}
	info, err := os.Stat(m)
	if err != nil || info.Size() == 0 {
		return nil
	}
	return []origin{{words: "the mirror " + m, at: info.ModTime(), from: m, fill: func(ctx context.Context, l *location) error {
		if err := startup.CheckMirror(m); err != nil {
			return err
		}
		return s.fill(ctx, l, os.DirFS(filepath.Dir(m)), filepath.Base(m))
	}}}
}

// originOf makes an origin of a backup.
func (s *Store) originOf(e *engine.Engine, c engine.Candidate) origin {
	return origin{
		words: "backup " + string(c.Name), at: c.CreatedAt.Time, rank: startup.Rank(c), name: c.Name, from: cmp.Or(c.From, s.standing.Repository),
		fill: func(ctx context.Context, l *location) error { return s.fillFromBackup(ctx, e, c.Name, l) },
	}
}

// fillFromBackup fills a location in memory from a backup.
func (s *Store) fillFromBackup(ctx context.Context, e *engine.Engine, name holdfast.BackupName, l *location) error {
	b, _, err := e.Open(ctx, string(name))
	if err != nil {
		return err
	}
	defer b.Close()
	if _, err := fs.Stat(b, s.inBackup()); err != nil {
		return &holdfast.Error{Op: "read", Object: string(name), Err: holdfast.Kindf(holdfast.ErrNotFound, "it does not hold %s", s.inBackup())}
	}
	return s.fill(ctx, l, b, s.inBackup())
}

// settle begins to work with a location in memory.
func (s *Store) settleInMemory(l *location, from origin, reason string) {
	s.mu.Lock()
	s.location = l
	s.degraded = &degraded{since: time.Now(), reason: reason, disk: from.disk}
	s.mu.Unlock()
	s.remember()
	s.noteOrigin(l, from.disk)
	s.keeper.SetSources([]holdfast.Source{l.source})
	s.note(problemMemory, holdfast.Problem{
		Severity: holdfast.Incomplete, Object: s.o.Database, Message: fmt.Sprintf("the database lies in %s, since %s; it was loaded from %s", l.at, reason, from.words),
		Hint: "its backups go on; it goes back to disk by itself once the storage works",
	})
	if !from.at.IsZero() {
		s.note(problemLost, holdfast.Problem{
			Severity: holdfast.Incomplete, Object: s.o.Database, Message: fmt.Sprintf("changes after %s are lost: the disk could not be read, and %s was the newest", holdfast.At(from.at), from.words),
			Hint: "if the disk can be read again, what lies there is kept and named",
		})
	}
	s.log.Error("DEGRADED: the database lies in memory, not on disk", "database", s.o.Database, "reason", reason, "loaded_from", from.words, "at", l.at)
}

// noteOrigin writes down beside a location in a file what it began from.
func (s *Store) noteOrigin(l *location, disk string) {
	if l.note == nil {
		return
	}
	if err := l.note(disk); err != nil {
		s.log.Warn("if this process is killed, the next one cannot tell whether what lies in memory is newest", "at", l.at, "error", err)
	}
}
