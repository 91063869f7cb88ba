package panel

import (
	"context"
	"slices"
	"strings"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/internal/panel/screen"
)

// Handle takes an update, and tells whether it was one for the panel: a button of its
// own, an answer to its question for a name, or, if Options.Commands is set, one of its
// commands. It leaves alone what is not. Whoever is not listed gets no answer.
func (p *Panel) Handle(ctx context.Context, u *models.Update) (handled bool) {
	p.Resume()
	switch {
	case u == nil:
		return false
	case u.CallbackQuery != nil:
		return p.pressed(ctx, u.CallbackQuery)
	case u.Message != nil:
		return p.written(ctx, u.Message)
	}
	return false
}

// pressed takes a press of a button.
func (p *Panel) pressed(ctx context.Context, q *models.CallbackQuery) bool {
	if !strings.HasPrefix(q.Data, screen.Prefix) {
		return false
	}
	if !p.admitted(q.From) {
		return true
	}
	if p.seen.again(q.ID) {
		return true // Telegram has sent it twice
	}
	leave, tell := p.gate.take(q.From.ID)
	if leave == nil {
		p.log.Debug("a press is left out, as there are too many", keyUser, q.From.ID)
		if tell {
			p.answer(ctx, q.ID, p.reader(q.From).L.T("panel.toast.slow"))
		}
		return true
	}
	defer leave()
	v := p.visit(q.From)
	v.query = q.ID
	v.chat, v.message = placeOf(q.Message)
	a, ok := screen.ParseAction(q.Data)
	if !ok || v.chat == 0 {
		a = screen.Action{Verb: screen.DoOverview} // a button of another release
	}
	if v.chat == 0 {
		v.chat = q.From.ID
	}
	said := v.do(ctx, a, q.Data)
	p.answer(ctx, q.ID, said)
	return true
}

// placeOf is where the message of a button is.
func placeOf(m models.MaybeInaccessibleMessage) (chat int64, message int) {
	switch {
	case m.Message != nil:
		return m.Message.Chat.ID, m.Message.ID
	case m.InaccessibleMessage != nil:
		return m.InaccessibleMessage.Chat.ID, m.InaccessibleMessage.MessageID
	}
	return 0, 0
}

// commands are those of a panel that runs by itself.
var commands = []string{"/start", "/admin", "/backup", "/help"}

// written takes a message.
func (p *Panel) written(ctx context.Context, m *models.Message) bool {
	if m.From == nil || m.From.IsBot {
		return false
	}
	named := m.ReplyToMessage != nil && m.ReplyToMessage.From != nil && m.ReplyToMessage.From.IsBot && screen.AsksName(m.ReplyToMessage.Text)
	command := ""
	if p.commanded.Load() && m.ViaBot == nil && m.ForwardOrigin == nil {
		word, _, _ := strings.Cut(strings.TrimSpace(m.Text), " ")
		word, to, addressed := strings.Cut(word, "@")
		if slices.Contains(commands, word) && (!addressed || strings.EqualFold(to, p.username())) {
			command = word
		}
	}
	if !named && command == "" {
		if p.commanded.Load() && !p.gate.lets(m.From.ID) && m.Chat.Type == models.ChatTypePrivate {
			p.admitted(*m.From) // for the log
		}
		return false
	}
	if !p.admitted(*m.From) {
		return true
	}
	leave, _ := p.gate.take(m.From.ID)
	if leave == nil {
		return true
	}
	defer leave()
	v := p.visit(*m.From)
	v.chat = m.Chat.ID
	switch {
	case named:
		v.name(ctx, m)
	case command == "/backup":
		v.overview(ctx)
	case command == "/help":
		v.show(ctx, screen.Help(v.r))
	default:
		v.admin(ctx, screen.Admin)
	}
	return true
}

// admitted tells whether a user is listed; that somebody tried who is not is logged.
func (p *Panel) admitted(u models.User) bool {
	if p.gate.lets(u.ID) {
		return true
	}
	if p.gate.notable(u.ID) {
		p.log.Warn("somebody who is not listed tried the Telegram panel", keyUser, u.ID, keyName, u.Username)
	}
	return false
}

// answer ends the waiting of a button that was pressed.
func (p *Panel) answer(ctx context.Context, query, said string) {
	if query == "" {
		return
	}
	if err := p.o.API.Answer(ctx, &bot.AnswerCallbackQueryParams{CallbackQueryID: query, Text: said}); err != nil {
		p.log.Debug("a press was not answered", keyError, err)
	}
}
