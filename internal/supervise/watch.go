package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	return child.Start(child.Command{Args: s.Args, Env: s.environment(), StopSignal: s.stopSignal(nil), Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr})
}

// run runs the program until it ends for good.
func (s *supervisor) run(ctx context.Context) (int, error) {
	if ctx.Err() != nil {
		return holdfast.ExitInterrupted, context.Cause(ctx)
	}
	if err := s.program.Start(); err != nil {
		return child.Code(err), err
	}
	if url := s.Config.Run.Ready; url != "" {
		s.board.set(holdfast.StandingStarting, "The program was started, and "+url+" does not answer yet.")
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.background.Go(func() { s.keep(background) })
	s.background.Go(func() { s.renew(background) })
	s.background.Go(func() { s.seeReady(background) })
	s.background.Go(func() { s.awaitBirth(background) })
	s.openChat(background)
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

// seeReady says when the program serves after a start, however long that takes.
func (s *supervisor) seeReady(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.awaitReady(ctx)
		if err == nil || errors.Is(err, errEnded) {
			return
		}
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
		case <-s.unanswered:
			s.background.Go(func() { s.seeReady(background) })
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
	s.board.set(holdfast.StandingReady, "The program runs.")
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
		if s.noneBorn(out.Backups) {
			out.Backups.Error, out.Backups.Failed, out.Backups.Unsaved = "", 0, nil
			out.Tasks[0].Error = ""
		}
		if out.Backups.Error != "" {
			out.Problems = append(out.Problems, holdfast.Problem{
				Severity: holdfast.Incomplete, Message: "the last backup failed: " + out.Backups.Error, Hint: s.failureHint(),
			})
		}
		if out.State == holdfast.StandingReady {
			out.Message = s.readyWords(out.Backups)
		}
	}
}

// readyWords say how well a program runs that has all it needs.
func (s *supervisor) readyWords(b holdfast.BackupStanding) string {
	lacking := s.lacking()
	switch {
	case b.Error != "":
		return "The program runs, but its backups fail."
	case b.Standby != "":
		return "The program runs, and another instance makes the backups of its data."
	case len(lacking) == len(s.places):
		return "The program runs, but has not made its data yet."
	case len(lacking) > 0:
		return "The program runs, and its data is being backed up, except for what it has not made yet."
	}
	return "The program runs, and its data is being backed up."
}

// failureHint says what to do about backups that fail.
func (s *supervisor) failureHint() string {
	return cmp.Or(holdfast.HintOf(s.keeper.Failure()), "it is tried again")
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
	case now.Error != "" && s.noneBorn(now):
		now.Error = "" // there is nothing to back up yet
	case now.Error != "" && now.Error != s.news.Error:
		s.warn(holdfast.Problem{Severity: holdfast.Incomplete, Message: "a backup failed, and is tried again: " + now.Error, Hint: holdfast.HintOf(k.Failure())})
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

// noneBorn tells whether the program is still to make its data, on its first start:
// that the first backup finds nothing, or something half made, is no failure then.
func (s *supervisor) noneBorn(now holdfast.BackupStanding) bool {
	if len(s.lacking()) == len(s.places) {
		return true
	}
	first := slices.ContainsFunc(s.places, func(p *place) bool {
		start := p.standing().Start
		return start != nil && start.Action == holdfast.StartNew
	})
	return first && now.Last == "" && now.Failed <= 1
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
