package supervise

import (
	"context"
	"sync"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/desk"
)

// A chat is the admin panel beside the program; without one it has no desk.
type chat struct {
	desk    *desk.Desk
	closing sync.Once
	closed  chan struct{}
}

// openChat serves the admin panel, if one is configured. Whatever is wrong with it, the
// program runs and its backups are made.
func (s *supervisor) openChat(ctx context.Context) {
	t := s.Config.Telegram
	if !t.HasPanel() {
		return
	}
	if t.Updates == config.UpdatesAPI {
		s.board.problem("updates", holdfast.Problem{
			Object: "telegram.updates", Severity: holdfast.Warning,
			Message: "nobody can pass updates on to the panel: `holdfast run` has no HTTP API; it only tells of alarms",
			Hint:    "set telegram.updates to poll, if nothing else fetches the updates of the bot; or use `holdfast serve` beside the program",
		}, s.warn)
	}
	d, err := desk.New(desk.Options{
		Config: s.Config, Keeper: s.keeper, State: s.stateDir, Standing: s.board.standing, Alone: t.Updates == config.UpdatesPoll,
		Trouble: s.chatTrouble, Now: s.Now, Logger: s.Logger, ToolVersion: s.ToolVersion,
	})
	if err != nil {
		s.board.problem("panel", holdfast.Problem{Object: "telegram", Severity: holdfast.Warning, Message: "there is no panel: " + err.Error(), Hint: holdfast.HintOf(err)}, s.warn)
		return
	}
	s.chat.desk = d
	s.background.Go(func() {
		if err := d.Run(ctx); err != nil {
			s.Logger.Error("the panel ended", "error", err)
		}
	})
}

// chatTrouble says that the panel gets no updates, or gets them again.
func (s *supervisor) chatTrouble(err error) {
	if err != nil {
		s.board.problem("panel", desk.TroubleOf(err), s.warn)
		return
	}
	if s.board.solved("panel") {
		s.tell("the panel in the chat gets updates again")
	}
}

// chatShare is the share of the time limit that what was asked for in the chat has to come
// to its end.
const chatShare = 3

// closeChat lets nothing more begin in the chat. What is at work there has its share of the
// time to end; closed tells that it has.
func (s *supervisor) closeChat(ctx context.Context) (closed <-chan struct{}) {
	s.chat.closing.Do(func() {
		s.chat.closed = make(chan struct{})
		if s.chat.desk == nil {
			close(s.chat.closed)
			return
		}
		go func() {
			defer close(s.chat.closed)
			ctx, cancel := context.WithTimeout(ctx, s.Config.Schedule.ShutdownTimeout/chatShare)
			defer cancel()
			s.chat.desk.Close(ctx)
		}()
	})
	return s.chat.closed
}

// awaitChat waits until nothing is at work in the chat any more, or ctx ends.
func (s *supervisor) awaitChat(ctx context.Context, closed <-chan struct{}) {
	select {
	case <-closed:
	case <-ctx.Done():
		s.Logger.Warn("what was asked for in the chat has not come to its end; the next start settles it")
	}
}
