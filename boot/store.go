package boot

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/boot/internal/pool"
	"github.com/holdfast-backup/holdfast/internal/control"
	"github.com/holdfast-backup/holdfast/internal/desk"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/schedule"
	"github.com/holdfast-backup/holdfast/internal/survival"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// A Store is a database in holdfast's care. Its methods may be called side by
// side.
type Store struct {
	o        *settings
	log      *slog.Logger
	pace     pace
	plain    *sqlite.Source  // the database where it belongs, while nobody has it open
	disk     holdfast.Source // the same, while the bot has it open
	diskURI  string
	stateDir string
	alone    bool // no other store of this process has the database

	pool    *pool.Pool
	keeper  *keeper.Keeper
	runner  *schedule.Runner
	control *control.Server
	desk    *desk.Desk // of a panel; nil: there is none. Guarded by mu.

	ctx   context.Context // the bot's: it ends when the program is to end
	leave context.CancelCauseFunc
	work  context.Context // of what works in the background
	rest  context.CancelFunc
	busy  sync.WaitGroup
	life  context.Context // of what goes on until the end is told
	die   context.CancelFunc
	group sync.WaitGroup

	// turn is to move the database, or to keep it still: one at a time.
	turn chan struct{}
	// let is what Stop holds until Start. The turn guards it.
	let *pool.Hold

	mu       sync.Mutex
	marker   *survival.Marker
	location *location
	file     *inPlace          // that the bot has open where the database belongs
	standing holdfast.Standing // what does not come from the parts
	degraded *degraded
	problems map[problem]holdfast.Problem
	told     chan struct{} // something has changed that is to be published

	shut   atomic.Bool // no connection is opened any more
	ending atomic.Bool // Close was called

	signalled time.Time     // when the first signal came; zero: none did
	urgent    chan struct{} // closed when the backup that a signal began has ended; nil: none was
	closing   sync.Once
	closed    chan struct{}
	closeErr  error
}

// pace is how often things are looked at. Tests hurry.
type pace struct {
	look    time.Duration // at storage that works
	retry   time.Duration // of storage that does not
	remind  time.Duration // that the database lies in memory
	publish time.Duration // of the status, at least
	lease   time.Duration // of the instance; zero is survival.DefaultLease
}

var usualPace = pace{look: 15 * time.Second, retry: 2 * time.Second, remind: 5 * time.Minute, publish: 15 * time.Second}

// A problem is what something that is worth knowing is about; a later one of the
// same takes its place.
type problem string

const (
	problemNewer     problem = "newer"     // than the migrations is the database
	problemMigration problem = "migration" // failed after a restore
	problemMarker    problem = "marker"    // cannot be kept
	problemControl   problem = "control"   // cannot be served
	problemMemory    problem = "memory"    // holds the database
	problemLost      problem = "lost"      // are changes, since
	problemAside     problem = "aside"     // lies what was written on disk meanwhile
	problemStorage   problem = "storage"   // has failed, and nothing could be done
	problemRecover   problem = "recover"   // a restore that was cut cannot be settled
	problemOvertaken problem = "overtaken" // a backup holds something newer
	problemPanel     problem = "panel"     // gets no updates
)

// newStore puts the parts together. Nothing is opened.
func newStore(o *settings, p pace) (*Store, error) {
	s := &Store{
		o: o, log: o.Logger, pace: p, turn: make(chan struct{}, 1), problems: map[problem]holdfast.Problem{},
		told: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	var err error
	if s.plain, err = sqlite.New(o.source.Name, o.Database, sqlite.Options{}); err != nil {
		return nil, err
	}
	if s.diskURI, err = sqlite.FileURI(o.Database); err != nil {
		return nil, err
	}
	s.disk = s.plain
	if o.Open != nil {
		if s.disk, err = newForeign(o.Options, o.source.Name, o.Database, s.diskURI); err != nil {
			return nil, err
		}
	}
	if s.stateDir, err = wire.StateDir(o.config); err != nil {
		return nil, err
	}
	s.keeper, err = keeper.New(keeper.Options{
		Config: o.config, Sources: []holdfast.Source{s.plain}, Owner: holder{s},
		Observer: o.Observer, Logger: s.log, ToolVersion: toolVersion(),
		Standby: s.standby, Changed: s.changed,
	})
	if err != nil {
		return nil, err
	}
	s.runner = schedule.New(schedule.Options{Logger: s.log, Changed: s.changed})
	s.pool = pool.New(pool.Options{Open: s.openFor(o.opener()), Fault: s.fault, IsFault: s.orDisplaced(o.isFault())})
	host, _ := os.Hostname() // only told
	s.standing = holdfast.Standing{State: holdfast.StandingStarting, PID: os.Getpid(), Host: host, Started: holdfast.At(time.Now()), Repository: wire.Location(o.config.Repository)}
	s.ctx, s.leave = context.WithCancelCause(context.Background())
	s.life, s.die = context.WithCancel(context.Background())
	s.work, s.rest = context.WithCancel(s.life)
	return s, nil
}

// toolVersion is the version of this module in the program.
func toolVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == "github.com/holdfast-backup/holdfast" && m.Version != "" {
			return m.Version
		}
	}
	return "unknown"
}

// DB is the bot's database: the same handle for as long as the store is open,
// wherever the data lies meanwhile. While it is moved or restored, statements
// wait, prepared ones and those of a *sql.Conn too. What a connection keeps for
// itself ends then, as with any new connection of the pool: temporary tables,
// attached databases, and pragmas that are not in Options.Pragmas. The caller need
// not close it.
func (s *Store) DB() *sql.DB { return s.pool.DB() }

// Context ends when the program is to end: a SIGTERM or SIGINT came, or Close
// was called.
func (s *Store) Context() context.Context { return s.ctx }

// Task runs fn again and again, every so often, never beside itself: unblocking
// users every minute, removing old rows every hour. A panic in fn ends that run
// and nothing else. How the last run went is in the status. The context of fn
// ends when the program is to end. ErrUsage if the name is taken.
func (s *Store) Task(name string, every time.Duration, fn func(context.Context) error) error {
	if err := s.refuseShut("task", name); err != nil {
		return err
	}
	if name == keeper.TaskName {
		return &holdfast.Error{Op: "task", Object: name, Err: holdfast.Kindf(holdfast.ErrUsage, "the backups have this name"), Hint: "Options.Every is their interval"}
	}
	return s.runner.Add(schedule.Task{Name: name, Every: every, Run: fn})
}

// take waits for the turn to move the database.
func (s *Store) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &holdfast.Error{Op: "move", Object: s.o.Database, Err: errors.Join(holdfast.Kindf(holdfast.ErrLocked, "it is being moved or restored"), context.Cause(ctx))}
	}
}

// pass gives the turn on.
func (s *Store) pass() { <-s.turn }

// note keeps something that is worth knowing in the status until it is settled.
func (s *Store) note(about problem, p holdfast.Problem) {
	if p.Source == "" {
		p.Source = s.o.source.Name
	}
	s.mu.Lock()
	s.problems[about] = p
	s.mu.Unlock()
	s.changed()
}

// noted tells whether there is something of this kind that is worth knowing.
func (s *Store) noted(about problem) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.problems[about]
	return there
}

// settled forgets what was worth knowing.
func (s *Store) settled(about ...problem) {
	s.mu.Lock()
	for _, a := range about {
		delete(s.problems, a)
	}
	s.mu.Unlock()
	s.changed()
}

// standby names the instance that makes the backups, if it is another one on
// the same storage.
func (s *Store) standby() string {
	s.mu.Lock()
	m, memory := s.marker, s.degraded != nil
	s.mu.Unlock()
	if m == nil || memory { // nobody else has what lies in our memory
		return ""
	}
	if holds, _ := m.Holds(); holds { // an error is for "no lock can be kept", and comes with true
		return ""
	}
	return m.Other()
}
