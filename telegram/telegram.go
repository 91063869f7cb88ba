// Package telegram is the admin panel of holdfast in a bot's own chat: System → 💾 Backup,
// for the people who are listed as admins.
//
// A bot that has its database from package boot mounts it like this, with whatever
// library it uses:
//
//	store, err := boot.Start(ctx, boot.Options{
//		Database: "/tmp/bot_database.db",
//		Telegram: boot.Telegram{Token: token, Admins: []int64{4711}},
//	})
//	…
//	panel, err := telegram.New(telegram.Options{Store: store})
//	…
//	if panel.HandleJSON(ctx, update) { // an update, as the Bot API sends it
//		continue // it was for the panel
//	}
//
// [Panel.Open] draws the panel for whoever pressed the bot's own button, [Panel.Button] is
// one that leads there by itself, and a bot that has no other use for updates lets
// [Panel.Run] fetch them. Alarms are told to every admin without being asked for.
//
// What the panel promises: nobody but the admins gets an answer; nothing is replaced
// or removed by one tap, or by one that is older than ten minutes; a button works after
// a restart as before.
package telegram

import (
	"context"
	"log/slog"
	"slices"

	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/boot"
	"github.com/holdfast-backup/holdfast/internal/desk"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/panel"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
)

// Options say what a panel is for. Store must be set.
type Options struct {
	// Store is the database that is looked after. Its boot.Options.Telegram, or the
	// environment (HOLDFAST_TELEGRAM_TOKEN, HOLDFAST_TELEGRAM_ADMINS …), name the bot
	// and its admins.
	Store *boot.Store
	// Back leads from the panel to the bot's own menu; without it the panel has a first
	// page of its own.
	Back *Button
	// Language is spoken with who has not chosen one: en, th, fa. Without it that is the
	// one of HOLDFAST_TELEGRAM_LANGUAGE, and else that of each admin's Telegram.
	Language string
	// Logger takes what happens; nil is slog.Default.
	Logger *slog.Logger
}

// A Button is one of the bot's own.
type Button struct {
	// Text is what it says, by language (en, th, fa); English stands for what is missing.
	Text map[string]string
	// Data comes back to the bot as the data of a callback query.
	Data string
}

// A Panel is the admin panel of one bot. Its methods may be called side by side.
type Panel struct{ panel *panel.Panel }

// New makes the panel of a store; it ends with the store. Nothing is sent.
func New(o Options) (*Panel, error) {
	if o.Store == nil {
		return nil, &holdfast.Error{Op: "telegram panel", Err: holdfast.Kindf(holdfast.ErrUsage, "it has no store"), Hint: "set telegram.Options.Store to what boot.Start gave"}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	mount := desk.Mount{Language: o.Language}
	if o.Language != "" && !slices.Contains(locale.Languages(), locale.Lang(o.Language)) {
		return nil, &holdfast.Error{Op: "telegram panel", Err: holdfast.Kindf(holdfast.ErrUsage, "it does not speak %q", o.Language), Hint: "set telegram.Options.Language to en, th or fa"}
	}
	if o.Back != nil {
		mount.Back = &panel.Button{Text: o.Back.Text, Data: o.Back.Data}
	}
	p, err := o.Store.Panel(mount, o.Logger)
	if err != nil {
		return nil, err
	}
	return &Panel{p}, nil
}

// Handle takes an update of the Bot API, and tells whether it was for the panel. What is
// not it leaves alone.
func (p *Panel) Handle(ctx context.Context, u *models.Update) (handled bool) {
	return u != nil && p.panel.Handle(ctx, u)
}

// HandleJSON is Handle for an update as the Bot API sends it: whatever library a bot uses,
// it can give that.
func (p *Panel) HandleJSON(ctx context.Context, update []byte) (handled bool) {
	return p.panel.HandleJSON(ctx, update)
}

// Button opens the panel when an admin presses it, for the menu of the bot; its words are
// in a language (en, th, fa; English stands for others). Whoever is no admin gets nothing for it.
func (p *Panel) Button(language string) models.InlineKeyboardButton {
	return models.InlineKeyboardButton{
		Text:         "💾 " + locale.Of(locale.Lang(language)).T("panel.backup"),
		CallbackData: screen.Action{Verb: screen.DoOverview}.String(),
	}
}

// Run fetches the updates of the bot, for one that has no other use for them, until ctx
// ends; /start, /admin, /backup and /help are the panel's then. An error tells that the
// token is not accepted.
func (p *Panel) Run(ctx context.Context) error { return p.panel.Run(ctx) }

// Open draws the screen of the backups for a user: into a message of the bot, or, for 0,
// into a new one. Whoever is no admin gets nothing.
func (p *Panel) Open(ctx context.Context, chat, user int64, message int) error {
	return p.panel.Open(ctx, chat, user, message)
}
