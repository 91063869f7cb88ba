package supervise

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/control"
)

// An owner answers restores that are asked for in another process.
type owner supervisor

var _ control.Handler = (*owner)(nil)

// Stop implements control.Handler. Another process restores to where the data
// belongs: while it lies in memory, that would be another copy of it.
func (o *owner) Stop(ctx context.Context, _ []string) error {
	s := (*supervisor)(o)
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	err := s.refuseAway()
	if err == nil {
		err = s.letGo(ctx)
	}
	if err != nil {
		s.giveTurn()
	}
	return err
}

// Start implements control.Handler.
func (o *owner) Start(ctx context.Context) error {
	s := (*supervisor)(o)
	defer s.giveTurn()
	return s.release(ctx)
}

// Abandoned implements control.Handler: whoever had the program stopped is gone.
// What it left is settled as the next start would, and the program goes on.
func (o *owner) Abandoned(ctx context.Context) {
	s := (*supervisor)(o)
	defer s.giveTurn()
	s.warn(holdfast.Problem{Severity: holdfast.Warning, Message: "whoever asked for the restore is gone; what it left is settled before the program starts again"})
	if err := control.Patiently(ctx, s.recover); err != nil {
		s.board.problem("recover", holdfast.Problem{
			Severity: holdfast.Damaged, Message: fmt.Sprintf("a restore was cut and could not be settled: %v", err),
			Hint: "`holdfast recover` finishes or undoes it",
		}, s.warn)
	}
	if err := s.release(ctx); err != nil {
		s.warn(holdfast.Problem{Severity: holdfast.Incomplete, Message: err.Error(), Hint: holdfast.HintOf(err)})
	}
}

// Standing implements control.Handler.
func (o *owner) Standing() holdfast.Standing { return (*supervisor)(o).board.standing() }

// recover finishes or undoes a restore that was cut.
func (s *supervisor) recover(ctx context.Context) error {
	e, err := s.keeper.Engine(ctx)
	if err != nil {
		return err
	}
	result, err := e.Recover(ctx)
	if errors.Is(err, engine.ErrUnsettled) {
		s.warn(holdfast.Problem{Severity: holdfast.Warning, Message: err.Error(), Hint: holdfast.HintOf(err)})
		return nil // in a store of its own, which the program does not wait for
	}
	if err == nil && result.Found {
		s.tell("an unfinished restore was %s: %s", result.Outcome, result.Detail)
	}
	return err
}

// A localOwner is the same program for the engine of the keeper: what that does
// while somebody else has the program stopped needs nothing stopped.
type localOwner supervisor

var _ engine.Owner = (*localOwner)(nil)

// Stop implements engine.Owner.
func (o *localOwner) Stop(ctx context.Context, _ []string) error {
	s := (*supervisor)(o)
	if s.program.Held() {
		return nil
	}
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	err := s.letGo(ctx)
	if s.local = err == nil; !s.local {
		s.giveTurn()
	}
	return err
}

// Start implements engine.Owner.
func (o *localOwner) Start(ctx context.Context) error {
	s := (*supervisor)(o)
	if !s.local {
		return nil
	}
	s.local = false
	defer s.giveTurn()
	return s.release(ctx)
}

// takeTurn waits until nobody else has the program stopped.
func (s *supervisor) takeTurn(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *supervisor) giveTurn() { <-s.turn }

// refuseAway refuses a restore while data lies in memory.
func (s *supervisor) refuseAway() error {
	for _, p := range s.places {
		if p.isAway() {
			return &holdfast.Error{
				Op: "restore", Object: p.conf.Name, Err: holdfast.Kindf(holdfast.ErrRefused, "its storage cannot hold it, so it lies in memory (%s)", p.path()),
				Hint: "wait until the storage works again; the database returns by itself",
			}
		}
	}
	return nil
}

// letGo stops the program for a restore.
func (s *supervisor) letGo(ctx context.Context) error {
	if s.program.Running() != nil {
		s.board.set(holdfast.StandingRestoring, "The program is stopped while its data is replaced.")
		s.tell("a restore was asked for; stopping the program")
	}
	err := s.program.Hold(ctx, s.grace())
	if err != nil {
		s.running()
	}
	return err
}

// release starts the program again and waits until it serves.
func (s *supervisor) release(ctx context.Context) error {
	if err := s.program.Release(); err != nil {
		s.program.fail(err)
		return err
	}
	if s.program.Running() == nil {
		return nil // it was not to run, or waits for its next start
	}
	s.tell("the program was started again")
	err := s.awaitReady(ctx)
	if err != nil {
		select {
		case s.unanswered <- struct{}{}:
		default:
		}
	}
	return err
}

// Polling the URL that tells whether the program serves.
const (
	askEvery = 100 * time.Millisecond
	askFor   = 2 * time.Second
)

// awaitReady waits until the program serves, as far as it is known how to tell,
// and says that it does.
func (s *supervisor) awaitReady(ctx context.Context) error {
	c := s.program.Running()
	if c == nil {
		return nil // it has ended, or was stopped again
	}
	if url := s.Config.Run.Ready; url != "" {
		limit := s.Config.Run.ReadyTimeout
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w after %s", errNoAnswer, limit))
		defer cancel()
		switch err := answers(ctx, url, c.Done()); {
		case errors.Is(err, errEnded):
			return err // told as an end
		case err != nil:
			const hint = "look at what the program says; run.ready and run.ready_timeout set what is waited for"
			if errors.Is(err, errNoAnswer) {
				s.board.problem("ready", holdfast.Problem{Object: url, Severity: holdfast.Incomplete, Message: "the program does not serve: " + err.Error(), Hint: hint}, s.warn)
			}
			return &holdfast.Error{Op: "wait for", Object: url, Err: err, Hint: hint}
		}
		s.board.solved("ready")
	}
	s.running()
	return nil
}

// errEnded tells that nobody will answer any more, errNoAnswer that nobody did.
var (
	errEnded    = errors.New("the program has ended")
	errNoAnswer = errors.New("no answer")
)

// answers waits until a URL gives any answer that is no server error.
func answers(ctx context.Context, url string, ended <-chan struct{}) error {
	client := &http.Client{
		Timeout:       askFor,
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	last := errors.New("nothing was asked yet")
	for {
		err := ask(ctx, client, url)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil { // else it says only that the time is over
			last = err
		}
		select {
		case <-ticker.C:
		case <-ended:
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), last)
		}
	}
}

// ask asks once.
func ask(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if told, ok := errors.AsType[*url.Error](err); ok {
		return told.Err // without the URL, which whoever shows it has named
	}
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}
