package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/probe"
	"github.com/holdfast-backup/holdfast/internal/startup"
	"github.com/holdfast-backup/holdfast/internal/survival"
)

// dataWait is how long a start waits, while the data is gone, for a repository
// that somebody else holds.
const dataWait = 30 * time.Second

// prepare brings everything into the state that the program may start on.
func (s *supervisor) prepare(ctx context.Context) error {
	within, stop := s.interruptible(ctx)
	err := s.prepareWithin(within)
	if asked := stop(); asked && err == nil { // nobody asks twice
		err = context.Canceled
	}
	return err
}

// prepareWithin is prepare until ctx ends, as far as what it does looks at that.
func (s *supervisor) prepareWithin(ctx context.Context) error {
	s.tellPath()
	for _, p := range s.places {
		if p.needsStorage() {
			s.probe(ctx, p)
		}
	}
	if ctx.Err() != nil { // a probe that was cut tells nothing
		return context.Cause(ctx)
	}
	s.mark()
	for _, p := range s.places {
		if err := s.settle(ctx, p); err != nil {
			return err
		}
	}
	s.keepBorn()
	return s.migrate(ctx)
}

// checkRepository refuses a start with a repository that can never be one. One that
// cannot be used for another reason may be back later, and its backups fail until
// then.
func (s *supervisor) checkRepository() error {
	if config.IsURL(s.Config.Repository) {
		return nil
	}
	if info, err := os.Stat(s.Config.Repository); err != nil || info.IsDir() {
		return nil
	}
	return &holdfast.Error{
		Op: "open repository", Object: s.Config.Repository, Err: holdfast.Kindf(holdfast.ErrUsage, "it is not a directory"),
		Hint: "a repository is a directory; name another one",
	}
}

// interruptible gives a context that a signal to end cancels: before the program
// runs there is nothing to pass it on to. The returned function ends the listening and
// tells whether there was such a signal.
func (s *supervisor) interruptible(ctx context.Context) (context.Context, func() (asked bool)) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	asked := false
	go func() {
		defer close(done)
		for {
			select {
			case sig := <-s.Signals:
				if asksToEnd(sig) {
					asked = true
					cancel()
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() bool { cancel(); <-done; return asked }
}

// probe looks what the directory of a source is worth.
func (s *supervisor) probe(ctx context.Context, p *place) {
	found := probe.Dir(ctx, folderOf(p.home), s.probeOptions())
	p.note(func(st *holdfast.SourceStanding) { st.Storage = &found })
	for _, f := range found.Findings {
		s.Logger.Info("probe", "source", p.conf.Name, "dir", found.Dir, "code", string(f.Code), "message", f.Message)
	}
	s.board.touch()
}

func (s *supervisor) probeOptions() probe.Options {
	o := probe.Options{FS: osFS, Make: true, SQLite: true}
	if !config.IsURL(s.Config.Repository) {
		o.Repository = s.Config.Repository
	}
	return o
}

// whyUnusable says in a line what is wrong with a storage; empty if it is usable.
func whyUnusable(st *holdfast.Storage) string {
	if st == nil || st.Usable {
		return ""
	}
	for _, f := range st.Findings {
		if f.Severity == holdfast.Damaged {
			return f.Message
		}
	}
	return "a database cannot live in " + st.Dir
}

// mark opens the survival marker beside the first source. Where it cannot be kept
// it is tried again by itself. What the repository knows of earlier starts is for
// people: no start waits for it.
func (s *supervisor) mark() {
	first := s.places[0]
	m, err := survival.Open(survival.Options{Data: first.conf.Path, Source: first.conf.Name, Now: s.Now, Logger: s.Logger})
	s.markerMu.Lock()
	s.marker = m
	s.markerMu.Unlock()
	s.judgeMarker(err)
}

// judgeMarker notes why no marker can be kept; err is nil if it can.
func (s *supervisor) judgeMarker(err error) {
	if err == nil {
		s.board.solved("marker")
		return
	}
	s.board.problem("marker", holdfast.Problem{
		Source: s.places[0].conf.Name, Severity: holdfast.Warning,
		Message: fmt.Sprintf("whether the storage outlives restarts cannot be told: %v", err), Hint: holdfast.HintOf(err),
	}, func(holdfast.Problem) {})
}

// compareMarker asks the repository what it knows of earlier starts.
func (s *supervisor) compareMarker(ctx context.Context) {
	m := s.presence()
	r, err := s.keeper.Repository(ctx)
	if errors.Is(err, holdfast.ErrNotFound) {
		m.NoRecords()
	}
	if err != nil {
		r = nil // locally known is better than not at all; Renew asks again
	}
	if err := m.Reconcile(ctx, r); err != nil && ctx.Err() == nil {
		s.Logger.Warn("the survival marker could not be compared with the repository", "error", err)
	}
	if ctx.Err() == nil {
		s.compared.Store(true)
		s.tellSurvival(m.Survival())
	}
	s.board.touch()
}

// tellSurvival says what is known of how the storage outlives restarts.
func (s *supervisor) tellSurvival(known holdfast.Survival) {
	if known.Words != "" {
		s.tell("storage: %s", known.Words)
	}
}

// settle brings one source into a state that the program can open.
func (s *supervisor) settle(ctx context.Context, p *place) error {
	if st := p.standing(); whyUnusable(st.Storage) != "" {
		return s.leaveHome(ctx, p, whyUnusable(st.Storage))
	}
	if err := s.bringBack(ctx, p); err != nil {
		return err
	}
	return s.startUp(ctx, p, p.home)
}

// startUp lets package startup decide about the data of a source. Data that is
// lost while backups may hold it keeps the program from starting: it would begin
// anew, and that would be backed up.
func (s *supervisor) startUp(ctx context.Context, p *place, source holdfast.Source) error {
	trusted := ""
	if m := s.presence(); m != nil && p == s.places[0] && source == p.home {
		trusted = m.Trusted()
	}
	d, err := startup.Prepare(ctx, startup.Options{
		Source: source, Mirror: p.conf.Mirror, Engine: s.keeper.Engine, StateDir: s.stateDir, Trusted: trusted, Unopened: source == p.home, Wait: dataWait,
		FS: osFS, Logger: s.Logger, Observer: s.Observer, Now: s.Now,
	})
	if d.Action != "" {
		p.note(func(st *holdfast.SourceStanding) { st.Start = &d })
		s.board.touch()
	}
	for _, passed := range d.Passed {
		s.warn(passed)
	}
	if err != nil {
		return err
	}
	if d.Action == holdfast.StartRestored {
		s.tell("%s: %s", p.conf.Name, d.Reason)
	}
	return nil
}
