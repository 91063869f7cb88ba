package boot

import (
	"context"
	"log/slog"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/desk"
	"github.com/holdfast-backup/holdfast/internal/panel"
)

// Panel makes the admin panel of this store, which ends with it. It is for package
// telegram, whose New everybody else calls.
func (s *Store) Panel(m desk.Mount, log *slog.Logger) (*panel.Panel, error) {
	if err := s.refuseShut("telegram panel", s.o.Database); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.desk != nil {
		return nil, &holdfast.Error{Op: "telegram panel", Object: s.o.Database, Err: holdfast.Kindf(holdfast.ErrUsage, "there is one already"), Hint: "make one panel of a store"}
	}
	d, err := desk.New(desk.Options{
		Config: s.o.config, Keeper: s.keeper, State: s.stateDir, Standing: s.Status, Mount: m, Trouble: s.panelTrouble,
		Logger: log, ToolVersion: toolVersion(),
	})
	if err != nil {
		return nil, err
	}
	s.desk = d
	s.busy.Go(func() { s.tell("the panel ended", d.Run(s.work)) })
	return d.Panel(), nil
}

// panelTrouble keeps in the status that the panel gets no updates.
func (s *Store) panelTrouble(err error) {
	if err == nil {
		s.settled(problemPanel)
		return
	}
	s.note(problemPanel, desk.TroubleOf(err))
}

// closeDesk ends what was asked for in a panel: what is at work has a third of the time
// that is left.
func (s *Store) closeDesk(ctx context.Context) {
	s.mu.Lock()
	d := s.desk
	s.mu.Unlock()
	if d == nil {
		return
	}
	ctx, cancel := third(ctx)
	defer cancel()
	d.Close(ctx)
}
