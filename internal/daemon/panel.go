package daemon

import (
	"context"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/desk"
	"github.com/holdfast-backup/holdfast/internal/panel"
)

// panelFolder, in the state directory, holds what people chose in the panel.
const panelFolder = "panel"

// newPanel makes the admin panel of the configured bot; nil: none is configured. Nothing is
// sent.
func (c *core) newPanel() (*panel.Panel, error) {
	if !c.config.Telegram.HasPanel() {
		return nil, nil
	}
	return desk.NewPanel(c.config, desk.PanelOptions{
		Core: func() panel.Core { return c.chat() }, State: filepath.Join(c.d.state, panelFolder), Alone: c.config.Telegram.Updates == config.UpdatesPoll,
		Trouble: c.panelTrouble, Version: c.d.o.ToolVersion, Now: c.d.o.Now, Logger: c.d.log,
	})
}

// panelTrouble notes why the panel gets no messages, for the alarms, and with nil that it
// gets them again.
func (c *core) panelTrouble(err error) {
	if err == nil {
		c.unheard.Store(nil)
		return
	}
	p := desk.TroubleOf(err)
	c.unheard.Store(&p)
}

// standWithin is how long programs may take to say how they stand.
const standWithin = 5 * time.Second

// chat is what the panel works on.
func (c *core) chat() panel.Core {
	return panel.Core{
		Config: c.config, Keeper: c.keeper, Book: c.book, Jobs: c.d.jobs, Operations: c.operations, Status: c.status,
		Standings: func() []holdfast.Standing {
			ctx, cancel := context.WithTimeout(context.Background(), standWithin)
			defer cancel()
			return c.d.programs(ctx)
		},
		Alarms: func() []alarm.Alarm { return c.d.board.Load().Standing() },
		Next:   desk.Next(c.keeper),
	}
}

// updateWithin bounds what is done about an update that was passed on, whether or not
// whoever did that waits for it.
const updateWithin = time.Minute

// takeUpdate takes what another program fetched; nil: nobody is to pass anything on.
func (c *core) takeUpdate() func(context.Context, []byte) bool {
	if c.panel == nil || c.config.Telegram.Updates != config.UpdatesAPI {
		return nil
	}
	return func(ctx context.Context, update []byte) bool {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), updateWithin)
		defer cancel()
		return c.panel.HandleJSON(ctx, update)
	}
}

// startPanel fetches what people write to the bot, unless another program does that.
func (c *core) startPanel(ctx context.Context) {
	c.endPanel = func() {}
	if c.panel == nil || c.config.Telegram.Updates != config.UpdatesPoll {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	c.endPanel = func() {
		cancel()
		<-ended
	}
	c.ended.Go(func() {
		defer close(ended)
		desk.Serve(ctx, c.panel)
	})
}
