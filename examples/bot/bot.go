package main

import (
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	tg "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/boot"
	"github.com/holdfast-backup/holdfast/telegram"
)

// A bot moderates groups. Its methods may be called side by side.
type bot struct {
	settings
	store   *boot.Store
	db      *sql.DB
	api     *tg.Bot
	web     *http.Client
	backups *telegram.Panel // System → 💾 Backup; nil: there are no admins
	name    string          // of the bot, in small letters; empty: nobody has told yet
}

// callWithin is as long as a call of the Bot API may take.
const callWithin = 70 * time.Second

// newBot makes a bot of a store. Nothing is sent.
func newBot(store *boot.Store, s settings) (*bot, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if s.proxy != "" {
		to, err := url.Parse(s.proxy)
		if err != nil {
			return nil, errProxy // the text of err would show the password
		}
		transport.Proxy = http.ProxyURL(to)
	}
	b := &bot{settings: s, store: store, db: store.DB(), web: &http.Client{Transport: transport, Timeout: callWithin}}
	var err error
	b.api, err = tg.New(s.token, tg.WithSkipGetMe(), tg.WithServerURL(s.server), tg.WithHTTPClient(callWithin, b.web), tg.WithErrorsHandler(b.trouble))
	return b, err
}

// admin tells whether somebody may use the admin panel.
func (b *bot) admin(id int64) bool { return slices.Contains(b.admins, id) }

// handle takes an update. An error means that the database did not take it, and that it
// should come again. What goes wrong later is told to whom it concerns.
func (b *bot) handle(ctx context.Context, u *models.Update) error {
	if b.backups != nil && b.backups.Handle(ctx, u) {
		return nil // it was for System → 💾 Backup
	}
	if u.CallbackQuery != nil {
		b.pressed(ctx, u.CallbackQuery)
		return nil
	}
	m := u.Message
	if m == nil || m.From == nil || m.From.IsBot {
		return nil
	}
	fresh, err := b.seen(ctx, m)
	if err != nil || !fresh {
		return err
	}
	if m.Chat.Type == models.ChatTypePrivate {
		err = b.inPrivate(ctx, m)
	} else {
		err = b.inGroup(ctx, m)
	}
	if err != nil {
		slog.Error("a message was not dealt with", "chat", m.Chat.ID, "message", m.ID, "error", err)
		b.answer(ctx, m, text(m.From, "failed"))
	}
	return nil
}

// inPrivate takes what somebody wrote to the bot alone.
func (b *bot) inPrivate(ctx context.Context, m *models.Message) error {
	who := m.From
	command, _ := b.command(m)
	switch {
	case command == "/id":
		b.say(ctx, m.Chat.ID, text(who, "id", who.ID))
	case command == "/admin" && b.admin(who.ID):
		return b.show(ctx, place{chat: m.Chat.ID, who: who}, toAdmin)
	case command == "/status" && b.admin(who.ID):
		b.say(ctx, m.Chat.ID, b.status())
	case command == "/backup" && b.admin(who.ID):
		said, err := b.backup(ctx)
		if err != nil {
			said = err.Error()
		}
		b.say(ctx, m.Chat.ID, said)
	default:
		known, err := b.known(ctx)
		if err != nil {
			return err
		}
		hello := text(who, "welcome", who.FirstName, known)
		if b.admin(who.ID) {
			hello += "\n\n" + text(who, "welcome_admin")
		}
		b.say(ctx, m.Chat.ID, hello)
	}
	return nil
}

// inGroup takes what somebody wrote in a group.
func (b *bot) inGroup(ctx context.Context, m *models.Message) error {
	switch command, rest := b.command(m); command {
	case "/block":
		return b.blockByReply(ctx, m, rest)
	case "/unblock":
		return b.unblockByReply(ctx, m)
	case "/tracking":
		return b.showTracking(ctx, m)
	}
	return b.stopFlood(ctx, m)
}

// command gives the command of a message and what stands behind it; a command for
// another bot is none.
func (b *bot) command(m *models.Message) (command, rest string) {
	if !strings.HasPrefix(m.Text, "/") {
		return "", ""
	}
	word, rest, _ := strings.Cut(m.Text, " ")
	command, to, addressed := strings.Cut(strings.ToLower(word), "@")
	if addressed && b.name != "" && to != b.name {
		return "", ""
	}
	return command, strings.TrimSpace(rest)
}
