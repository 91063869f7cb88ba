package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/child"
)

// terminate is the signal with which platforms ask a process to end.
const terminate = syscall.SIGTERM

// signalBase and the number of a signal are what a shell exits with after it.
const signalBase = 128

// stopSignals are those that run.stop_signal can name.
var stopSignals = map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "HUP": syscall.SIGHUP}

// stopSignal is what asks the program to end, where this process was asked with
// got.
func (s *supervisor) stopSignal(got os.Signal) os.Signal {
	return cmp.Or(stopSignals[s.Config.Run.StopSignal], got, os.Signal(terminate))
}

// grace is how long the program may take to end when it is asked to, outside of
// a shutdown.
func (s *supervisor) grace() time.Duration { return s.Config.Schedule.ShutdownTimeout }

// The share of the time limit that the last backup is sure to get.
const (
	leastReserve = 500 * time.Millisecond
	largeShare   = 2 // at most a half
	usualShare   = 4 // as long as nothing is known
)

// reserve is how much of the limit is kept for the last backup, when one like it
// has just taken so long; zero is not known yet.
func reserve(limit, took time.Duration) time.Duration {
	if took == 0 {
		return limit / usualShare
	}
	return min(max(took+took/2, leastReserve), limit/largeShare)
}

// cleanShare is the share of the limit, and cleanMost the most, that is kept for
// giving back leases and clearing away a backup that was cut.
const (
	cleanShare = 10
	cleanMost  = 800 * time.Millisecond
)

// clean is what is kept of the limit.
func clean(limit time.Duration) time.Duration { return min(limit/cleanShare, cleanMost) }

// hurry gives the context of an end that a signal asked for: no signal cancels
// it, and the time limit does, early enough to clean up.
func (s *supervisor) hurry(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := s.Config.Schedule.ShutdownTimeout
	s.deadline = time.Now().Add(limit)
	return context.WithDeadlineCause(context.WithoutCancel(ctx), s.deadline.Add(-clean(limit)), errTooLate)
}

// listen gives the context of the last backup. Until a signal asks to end, it may
// take its time; from then on the limit holds, and the next signal cuts it.
// asked tells that the first signal was met already. The returned function ends
// the listening.
func (s *supervisor) listen(ctx context.Context, asked bool) (context.Context, func()) {
	ctx, cut := context.WithCancelCause(ctx)
	stop, done := make(chan struct{}), make(chan struct{})
	late := time.NewTimer(0)
	late.Stop()
	go func() {
		defer close(done)
		for {
			select {
			case sig := <-s.Signals:
				switch {
				case !asksToEnd(sig):
				case asked:
					cut(errAtOnce)
				default:
					asked = true
					limit := s.Config.Schedule.ShutdownTimeout
					s.deadline = time.Now().Add(limit)
					late.Reset(limit - clean(limit))
				}
			case <-late.C:
				cut(errTooLate)
			case <-stop:
				return
			}
		}
	}()
	return ctx, func() { close(stop); <-done; late.Stop(); cut(nil) }
}

// finish ends after the program has ended by itself: its last backup, its code.
func (s *supervisor) finish(ctx context.Context, end ending) (int, error) {
	s.program.Finish()
	s.board.set(holdfast.StandingStopping, "The program has ended; its last backup is being made.")
	ctx, stop := s.listen(context.WithoutCancel(ctx), false)
	s.awaitChat(ctx, s.closeChat(ctx))
	failed := s.lastBackup(ctx)
	stop()
	return s.leave(end, failed)
}

// shutdown ends because a signal asked for it. The whole takes no longer than the
// time limit: platforms kill what does.
func (s *supervisor) shutdown(ctx context.Context, sig os.Signal) (int, error) {
	alone := s.closing()
	c := s.program.Finish()
	s.board.set(holdfast.StandingStopping, "A signal asked to end; the last backup is being made.")
	s.tell("ending within %s", s.Config.Schedule.ShutdownTimeout)
	ctx, cancel := s.hurry(ctx)
	defer cancel()
	deadline, _ := ctx.Deadline()
	chat := s.closeChat(ctx)
	if c != nil {
		_ = c.Signal(s.stopSignal(sig))
	}
	hot := make(chan time.Duration, 1)
	first, stopFirst := context.WithCancel(ctx)
	defer stopFirst()
	if c != nil {
		s.background.Go(func() { s.backUpBeside(first, c, alone, hot) })
	}
	exit, killed := s.awaitEnd(ctx, c, deadline, hot)
	if killed {
		stopFirst()
		s.tell("a second signal: killed; %s", s.unsavedWords())
		return exit.Code, nil
	}
	ctx, stop := s.listen(ctx, true)
	s.awaitChat(ctx, chat)
	failed := s.lastBackup(ctx)
	stop()
	return s.leave(ending{exit: exit}, failed)
}

// backUpBeside backs up while the program takes its time to end, and tells how long
// that took. It holds most of what there is, whatever comes; what the program writes
// while it ends makes another small one.
func (s *supervisor) backUpBeside(ctx context.Context, c *child.Child, alone time.Duration, took chan<- time.Duration) {
	if !outlasts(ctx, c, alone) {
		return // the last backup is next
	}
	begun := time.Now()
	s.keepBorn()
	if _, err := s.keeper.Last(ctx); err != nil {
		s.Logger.Warn("the backup beside the end of the program failed", "error", err)
	}
	took <- time.Since(begun)
}

// awaitEnd waits for the program, and kills it when the last backup needs what is
// left of the time. killed tells that a second signal asked for that.
func (s *supervisor) awaitEnd(ctx context.Context, c *child.Child, deadline time.Time, hot <-chan time.Duration) (exit child.ExitState, killed bool) {
	if c == nil { // it waited for its next start
		return child.ExitState{Code: signalBase + int(terminate), Signal: terminate}, false
	}
	limit := time.Until(deadline)
	late := time.NewTimer(limit - reserve(limit, 0))
	defer late.Stop()
	for {
		select {
		case <-c.Done():
			s.sweep(ctx, c, deadline)
			return c.Exit(), false
		case took := <-hot:
			late.Reset(time.Until(deadline.Add(-reserve(limit, took))))
		case <-late.C:
			s.warn(holdfast.Problem{Severity: holdfast.Warning, Message: fmt.Sprintf("the program did not end within %s and was killed", (limit - time.Until(deadline)).Round(100*time.Millisecond)), Hint: "shutdown_timeout sets how long it may take together with the last backup"})
			s.program.Kill()
		case sig := <-s.Signals:
			if !asksToEnd(sig) {
				_ = c.Signal(sig)
				continue
			}
			s.program.Kill()
			<-c.Done()
			return c.Exit(), true
		}
	}
}

// sweep ends what the program left behind, which might go on writing.
func (s *supervisor) sweep(ctx context.Context, c *child.Child, deadline time.Time) {
	left := max(time.Until(deadline)-reserve(s.Config.Schedule.ShutdownTimeout, 0), leastReserve)
	if err := c.Stop(ctx, left); err != nil {
		s.Logger.Warn("what the program left behind could not be ended", "error", err)
	}
}

// lastBackup backs up what no backup holds yet.
func (s *supervisor) lastBackup(ctx context.Context) error {
	s.keepBorn()
	result, err := s.keeper.Last(ctx)
	if err != nil {
		return err
	}
	if result != nil && !result.Unchanged {
		for _, p := range result.Problems {
			s.warn(p)
		}
	}
	s.trust()
	return nil
}

// trust notes that the data of the first source is sound as it lies now: it was
// checked by its backup, and nobody writes any more.
func (s *supervisor) trust() {
	p := s.places[0]
	peeker, ok := p.home.(holdfast.Peeker)
	m := s.presence()
	if !ok || m == nil || p.isAway() {
		return
	}
	state, settled, err := peeker.Peek()
	if err != nil || !settled || state == "" {
		return
	}
	if err := m.Trust(state); err != nil {
		s.Logger.Warn("the state at the end could not be noted", "error", err)
	}
}

// leave gives the code to exit with. A last backup that failed, or lacks what the
// program was to make, shows in the code of a program that ended well.
func (s *supervisor) leave(end ending, failed error) (int, error) {
	s.tell("the program %s", end.words())
	lacking := s.lacking()
	if failed == nil && len(lacking) == 0 {
		return end.exit.Code, nil
	}
	for _, p := range lacking {
		s.warn(p.missed("the program ended without having made it"))
	}
	if failed != nil && len(lacking) < len(s.places) {
		s.warn(holdfast.Problem{Severity: holdfast.Incomplete, Message: failed.Error(), Hint: holdfast.HintOf(failed)})
	}
	if end.exit.Code == holdfast.ExitDone {
		return holdfast.ExitIncomplete, nil
	}
	return end.exit.Code, nil
}

// unsavedWords tell since when there are changes that no backup holds.
func (s *supervisor) unsavedWords() string {
	st := s.keeper.Standing()
	if st.Unsaved == nil {
		return "no change is known that no backup holds"
	}
	return "changes since " + st.Unsaved.UTC().Format(time.RFC3339) + " are in no backup"
}

// isSaved tells whether a backup holds everything.
func (s *supervisor) isSaved() bool {
	st := s.keeper.Standing()
	return st.Last != "" && st.Error == "" && st.Unsaved == nil
}

// errAtOnce is why the last backup was cut.
var errAtOnce = errors.New("a second signal asked to end at once")

// errTooLate is why the end was cut.
var errTooLate = fmt.Errorf("shutdown_timeout is over: %w", context.DeadlineExceeded)
