package supervise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/child"
	"github.com/holdfast-backup/holdfast/internal/survival"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// startChild starts the program with the environment of this moment. The first
// thing that it reads may be the status file: that tells everything by then.
func (s *supervisor) startChild() (*child.Child, error) {
	if s.degraded() {
		s.running()
	}
	s.board.publish(s.publish)
	return child.Start(child.Command{Args: s.Args, Env: s.environment(), Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr})
}

// run runs the program until it ends for good.
func (s *supervisor) run(ctx context.Context) (int, error) {
	if ctx.Err() != nil {
		return holdfast.ExitInterrupted, context.Cause(ctx)
	}
	if err := s.program.Start(); err != nil {
		return child.Code(err), err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.background.Go(func() { s.keep(background) })
	s.background.Go(func() { s.renew(background) })
	s.background.Go(func() { s.seeReady(background) })
	if s.degraded() {
		s.background.Go(func() { s.watchHome(background) })
	}
	return s.watch(ctx, background)
}

// keep makes the backups.
func (s *supervisor) keep(ctx context.Context) {
	if err := s.keeper.Run(ctx); err != nil && ctx.Err() == nil {
		s.board.problem("keeper", holdfast.Problem{Severity: holdfast.Incomplete, Message: fmt.Sprintf("no more backups are made: %v", err), Hint: holdfast.HintOf(err)}, s.warn)
	}
}

// seeReady says when the program serves after a start.
func (s *supervisor) seeReady(ctx context.Context) {
	if err := s.awaitReady(ctx); err != nil && ctx.Err() == nil {
		s.Logger.Warn("the program does not answer", "error", err)
	}
}

// renew keeps the marker alive and lets it look after others.
func (s *supervisor) renew(ctx context.Context) {
	s.compareMarker(ctx)
	ticker := time.NewTicker(survival.DefaultLease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		m := s.presence()
		before := m.Survival()
		r, err := s.keeper.Repository(ctx)
		if err != nil {
			r = nil // told by the backups; locally the marker goes on
		}
		if err := m.Renew(ctx, r); err != nil && ctx.Err() == nil {
			s.Logger.Warn("the survival marker could not be renewed", "error", err)
		}
		if now := m.Survival(); now.State != before.State {
			s.tellSurvival(now)
		}
		s.board.touch()
	}
}

// watch waits for what happens to the program. What it starts itself ends with
// background.
func (s *supervisor) watch(ctx, background context.Context) (int, error) {
	var row streak
	restart := time.NewTimer(0)
	restart.Stop()
	defer restart.Stop()
	for {
		select {
		case <-ctx.Done():
			return s.shutdown(ctx, terminate)
		case sig := <-s.Signals:
			if asksToEnd(sig) {
				return s.shutdown(ctx, sig)
			}
			s.program.Signal(sig)
		case end := <-s.program.ended:
			if !again(s.Config.Run.Restart, end) {
				return s.finish(ctx, end)
			}
			restart.Reset(s.announce(&row, end))
		case <-restart.C:
			s.program.Sweep(background)
			if err := s.program.Start(); err != nil {
				s.program.fail(err)
				continue
			}
			s.background.Go(func() { s.seeReady(background) })
		}
	}
}

// A streak counts ends one soon after the other.
type streak struct {
	backoff
	ends int
}

// announce tells an end after which the program is started again, and gives the
// time until then.
func (s *supervisor) announce(row *streak, end ending) time.Duration {
	wait := row.next(end.lived)
	row.ends++
	if row.row == 1 {
		row.ends = 1
	}
	what := fmt.Sprintf("the program %s after %s", end.words(), end.lived.Round(time.Millisecond))
	if row.ends > 1 {
		what += fmt.Sprintf(", %d times in a row", row.ends)
	}
	s.board.set(holdfast.StandingRestarting, fmt.Sprintf("T%s; it starts again within %s.", what[1:], wait))
	s.board.problem("restart", holdfast.Problem{Severity: holdfast.Warning, Message: what, Hint: "look at what the program says"}, func(holdfast.Problem) {})
	s.tell("%s; starting it again in %s", what, wait)
	return wait
}

// running says that the program runs, and how well.
func (s *supervisor) running() {
	if s.degraded() {
		s.board.set(holdfast.StandingDegraded, "The program runs, but its storage cannot hold its data, which lies in memory.")
		return
	}
	s.board.set(holdfast.StandingReady, "The program runs, and its data is being backed up.")
}

// fill adds to the standing what others keep.
func (s *supervisor) fill(out *holdfast.Standing) {
	out.At, out.Started = holdfast.At(s.Now()), s.begun
	out.Repository = wire.Location(s.Config.Repository)
	for _, p := range s.places {
		out.Sources = append(out.Sources, p.standing())
	}
	if m := s.presence(); m != nil {
		out.Survival = new(m.Survival())
	}
	if s.keeper != nil {
		out.Backups = s.keeper.Standing()
		out.Tasks = []holdfast.TaskStanding{s.keeper.Task()}
		out.Problems = append(out.Problems, s.keeper.Problems()...)
		if s.unborn(out.Backups) {
			out.Backups.Error, out.Backups.Failed = "", 0
		}
		if out.Backups.Error != "" {
			out.Problems = append(out.Problems, holdfast.Problem{
				Severity: holdfast.Incomplete, Message: "the last backup failed: " + out.Backups.Error,
			})
		}
	}
}

// keeperChanged says what became of backups, as far as it is news.
func (s *supervisor) keeperChanged() {
	s.board.touch()
	k := s.keeper
	if k == nil {
		return
	}
	s.newsMu.Lock()
	defer s.newsMu.Unlock()
	now := k.Standing()
	switch {
	case now.Error != "" && s.unborn(now):
		now.Error = "" // there is nothing to back up yet
	case now.Error != "" && now.Error != s.news.Error:
		s.warn(holdfast.Problem{Severity: holdfast.Incomplete, Message: "a backup failed: " + now.Error, Hint: "it is tried again"})
	case now.Error == "" && s.news.Error != "":
		s.tell("backups work again")
	case now.Last != s.news.Last && now.LastAt != nil && !now.LastAt.Before(s.begun.Time) && slices.Contains(worthTelling, now.LastTrigger):
		s.tell("backed up: %s", now.Last)
	}
	if now.Standby != s.news.Standby && now.Standby != "" {
		s.tell("another instance makes the backups of this data: %s", now.Standby)
	}
	s.news = now
}

// unborn tells whether a source is still to be made by the program, on its first
// start: that the first backup finds nothing is no failure then.
func (s *supervisor) unborn(now holdfast.BackupStanding) bool {
	for _, p := range s.places {
		if start := p.standing().Start; start == nil || start.Action != holdfast.StartNew {
			continue
		}
		_, err := os.Lstat(p.path())
		if errors.Is(err, fs.ErrNotExist) || now.Last == "" && now.Failed <= 1 {
			return true
		}
	}
	return false
}

// worthTelling are the triggers of backups that come seldom.
var worthTelling = []holdfast.Trigger{holdfast.TriggerStartup, holdfast.TriggerShutdown}

// words tell an end.
func (e ending) words() string {
	if e.err != nil {
		return fmt.Sprintf("could not be started (%v)", e.err)
	}
	return e.exit.String()
}

// asksToEnd tells whether a signal asks this process to end.
func asksToEnd(sig os.Signal) bool { return sig == os.Interrupt || sig == terminate }
