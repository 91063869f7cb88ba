package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/botapi"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/panel"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// PanelOptions are what a configuration does not say of a panel.
type PanelOptions struct {
	Core  func() panel.Core
	State string // directory of what people chose
	Mount
	// Alone tells that the bot is there for the panel, and has no commands of its own.
	Alone bool
	// Trouble is told when updates cannot be fetched, with why, and, with nil, when they can
	// again; nil: nobody is.
	Trouble func(error)
	Version string
	Now     func() time.Time
	Logger  *slog.Logger
}

// NewPanel makes the panel that a configuration asks for. Nothing is sent.
func NewPanel(c *config.Config, o PanelOptions) (*panel.Panel, error) {
	t := c.Telegram
	client, err := wire.Bot(c, o.Logger)
	if err != nil {
		return nil, err
	}
	to, err := botapi.Recipient(t.Token)
	if err != nil {
		return nil, err
	}
	return panel.New(panel.Options{
		Core: o.Core, API: client, Admins: t.Admins, Language: cmp.Or(o.Language, t.Language), State: o.State, Back: o.Back, Commands: o.Alone,
		Recipient: to, Polled: o.Trouble, Version: o.Version, Now: o.Now, Logger: o.Logger,
	})
}

// TroubleOf says in a standing why a panel gets no updates.
func TroubleOf(err error) holdfast.Problem {
	p := holdfast.Problem{Object: "telegram", Severity: holdfast.Warning, Message: "the panel in the chat gets no updates: " + report.Text(err), Hint: holdfast.HintOf(err)}
	if errors.Is(err, holdfast.ErrLocked) {
		p.Hint = "if it is the program itself, let it mount the panel, or pass updates on to `holdfast serve`; else end the other program, or give holdfast a bot of its own (docs/telegram.md)"
	}
	return p
}

// tokenAgain is the pause before it is tried again whether a token is accepted.
const tokenAgain = 10 * time.Minute

// Serve fetches the updates of a panel, also with a token that was not accepted for a
// while, until ctx ends.
func Serve(ctx context.Context, p *panel.Panel) {
	for p.Run(ctx) != nil { // which has told why
		select {
		case <-time.After(tokenAgain):
		case <-ctx.Done():
			return
		}
	}
}

// Services tell of alarms in the chats of a panel's admins: each is one, so that who
// could not be told is told later.
func Services(p *panel.Panel, admins []int64) []alarm.Service {
	var all []alarm.Service
	for _, admin := range admins {
		all = append(all, alarm.Service{Name: fmt.Sprintf("telegram.admins (%d)", admin), Send: func(ctx context.Context, m alarm.Message) error {
			return p.TellTo(ctx, admin, panel.Notice{News: m.News, Written: m.Written})
		}})
	}
	return all
}
