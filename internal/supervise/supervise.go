// Package supervise is `holdfast run`: it gives a program in any language the
// start-up of a bot, and backups while it runs.
//
// Start from [Run]. What it does, in the order of a life, and where:
//
//	prepare.go    before the program: probe, marker, restore, migrations
//	birth.go      sources that the program is still to make
//	fallback.go   a storage that cannot hold a database, and the way back
//	program.go    the program over all its starts; nothing else starts or ends it
//	watch.go      what happens while it runs: signals, ends, restarts
//	owner.go      restores that any surface asks for: stop, swap, start
//	alone.go      the moments in which the program is left alone with its data
//	chat.go       the admin panel in a chat, beside the program
//	shutdown.go   the end, within its time limit
//	board.go      what the status file and other surfaces see of all that
//	rest.go       memory, while nothing happens
//
// It promises that its own words never reach standard output, which is the
// program's, and that the exit code is the program's. Backups are the keeper's,
// decisions about data those of package startup; there is no logic of either here.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/control"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/survival"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// Options are what a supervised program is run with.
type Options struct {
	Config *config.Config
	// Args are the program and its arguments.
	Args []string
	// Environ is the environment of the program, beside what is added to it.
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	// Signals are the signals that this process gets. The first that asks to end
	// begins the end, the second kills; the others are passed on.
	Signals  <-chan os.Signal
	Logger   *slog.Logger // nil discards
	Observer holdfast.Observer
	// Tell says a line to whoever looks at the output of this process; Warn
	// says what is wrong.
	Tell        func(line string)
	Warn        func(holdfast.Problem)
	Now         func() time.Time
	ToolVersion string
}

// Run runs the program until it ends for good, and gives the code to exit with:
// the program's own. An error is for what kept it from being started.
func Run(ctx context.Context, o Options) (exit int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o.Signals = withoutEchoes(ctx, o.Signals)
	s, err := newSupervisor(o)
	if err != nil {
		return holdfast.ExitCode(err), err
	}
	return s.live(ctx)
}

// live is Run of a supervisor, once.
func (s *supervisor) live(ctx context.Context) (exit int, err error) {
	defer func() {
		if cerr := s.close(ctx); cerr != nil {
			s.warn(holdfast.Problem{Severity: holdfast.Warning, Message: cerr.Error(), Hint: holdfast.HintOf(cerr)})
		}
	}()
	if err := s.prepare(ctx); err != nil {
		return holdfast.ExitCode(err), err
	}
	return s.run(ctx)
}

// A supervisor is one life of holdfast run.
type supervisor struct {
	Options
	stateDir string
	places   []*place
	board    *board
	rest     *rest
	keeper   *keeper.Keeper
	server   *control.Server
	program  *program
	chat     chat
	// turn is held by whoever has the program stopped, or is about to.
	turn chan struct{}
	// local tells that the keeper's own engine has the program stopped; only it
	// reads and writes this, one verb at a time.
	local bool

	markerMu sync.Mutex
	marker   *survival.Marker
	compared atomic.Bool // with what the repository knows

	unpublished atomic.Bool // the status file could not be written the last time

	birthMu sync.Mutex
	kept    int // how many sources the keeper backs up; zero before it was told

	newsMu sync.Mutex
	news   holdfast.BackupStanding // what was said of the backups last

	// unanswered tells that the program did not answer in time after a restore.
	unanswered chan struct{}

	background sync.WaitGroup
	stop       context.CancelFunc // ends what runs in the background
	publishing sync.WaitGroup     // of the board, which outlives the rest
	begun      holdfast.Time
	deadline   time.Time // of the end; zero before
}

func newSupervisor(o Options) (*supervisor, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	if o.Warn == nil {
		o.Warn = func(holdfast.Problem) {}
	}
	stateDir, err := wire.StateDir(o.Config)
	if err == nil {
		stateDir, err = filepath.Abs(stateDir) // the program may work elsewhere
	}
	if err != nil {
		return nil, err
	}
	s := &supervisor{Options: o, stateDir: stateDir, turn: make(chan struct{}, 1), unanswered: make(chan struct{}, 1), stop: func() {}, begun: holdfast.At(o.Now())}
	for _, conf := range o.Config.Sources {
		p, err := newPlace(conf)
		if err != nil {
			return nil, err
		}
		s.places = append(s.places, p)
	}
	s.board, s.rest = newBoard(s.fill), newRest()
	s.program = newProgram(s.startChild)
	s.keeper, err = keeper.New(keeper.Options{
		Config: o.Config, Sources: s.sources(), Owner: (*localOwner)(s), Observer: o.Observer, Logger: o.Logger,
		ToolVersion: o.ToolVersion, Standby: s.standby, Opening: s.opening, Changed: func() { s.keeperChanged(); s.rest.disturb() }, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	if err := s.checkRepository(); err != nil {
		return nil, err
	}
	s.serve()
	return s, nil
}

// serve opens the door for other surfaces. Where the state directory cannot be
// written the program runs all the same, and only nobody finds it.
func (s *supervisor) serve() {
	server, err := control.Serve(s.stateDir, s.sources(), (*owner)(s), s.Logger)
	if err != nil {
		s.board.problem("control", holdfast.Problem{Object: s.stateDir, Severity: holdfast.Warning, Message: err.Error(), Hint: holdfast.HintOf(err)}, s.warn)
	}
	s.server = server
	s.publishing.Go(func() { s.board.run(s.publish) })
}

// publish writes the status file. That it cannot be written is told once: the program
// reads an old one.
func (s *supervisor) publish(standing holdfast.Standing) {
	switch err := s.server.Publish(standing); {
	case err == nil:
		s.unpublished.Store(false)
		s.board.solved("status")
	case !s.unpublished.Swap(true):
		s.board.problem("status", holdfast.Problem{Severity: holdfast.Warning, Message: fmt.Sprintf("what HOLDFAST_STATUS names is out of date: %v", err), Hint: "`holdfast status` asks the program itself"}, s.warn)
	}
}

// close ends what is left and says goodbye.
func (s *supervisor) close(ctx context.Context) error {
	s.stop()
	s.program.Close()
	s.background.Wait()
	s.rest.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.farewell())
	defer cancel()
	s.awaitChat(ctx, s.closeChat(ctx))
	var errs []error
	if m := s.presence(); m != nil {
		r, err := s.keeper.Repository(ctx)
		if err != nil {
			r = nil // its lease there ends by itself
		}
		if !s.compared.Load() { // a life that was too short for it
			errs = append(errs, m.Reconcile(ctx, r))
		}
		errs = append(errs, m.Close(ctx, r))
	}
	for _, p := range s.places {
		errs = append(errs, p.clear(s.isSaved()))
	}
	s.board.set(holdfast.StandingStopped, "The program has ended.")
	s.board.close()
	s.publishing.Wait()
	errs = append(errs, s.server.Close())
	return errors.Join(errs...)
}

// The bounds of what is left to do once the last backup is made.
const (
	leastFarewell = 100 * time.Millisecond
	mostFarewell  = 2 * time.Second
)

// farewell is how long that may take: what is left of the time limit.
func (s *supervisor) farewell() time.Duration {
	if s.deadline.IsZero() {
		return mostFarewell
	}
	return min(max(time.Until(s.deadline), leastFarewell), mostFarewell)
}

// warn says what is wrong.
func (s *supervisor) warn(p holdfast.Problem) { s.Warn(p) }

// tell says a line.
func (s *supervisor) tell(format string, args ...any) { s.Tell(fmt.Sprintf(format, args...)) }

// presence is the marker, once there is one.
func (s *supervisor) presence() *survival.Marker {
	s.markerMu.Lock()
	defer s.markerMu.Unlock()
	return s.marker
}

// standby names the other instance that makes the backups of this data.
func (s *supervisor) standby() string {
	m := s.presence()
	if m == nil {
		return ""
	}
	if holds, err := m.Holds(); holds || err != nil {
		return ""
	}
	return m.Other()
}

// folderOf is the directory whose storage a source needs.
func folderOf(s holdfast.Source) string {
	t := s.Target()
	if info, err := os.Stat(t.Path); t.Dir && err == nil && info.IsDir() {
		return t.Path
	}
	return filepath.Dir(t.Path)
}

// osFS is the real file system.
var osFS durable.FS = durable.OS
