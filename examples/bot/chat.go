package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	tg "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

// errProxy says nothing of the address, which may hold a password.
var errProxy = errors.New("HOLDFAST_TELEGRAM_PROXY is no address: write http://host:port or socks5://host:port")

// longestRest is as long as Telegram's wish to be left alone is granted.
const longestRest = time.Minute

// patiently makes a call again that came too early, when Telegram wants it.
func patiently(ctx context.Context, call func() error) error {
	for range 3 {
		err := call()
		tooMany, ok := errors.AsType[*tg.TooManyRequestsError](err)
		rest := time.Duration(0)
		if ok {
			rest = time.Duration(tooMany.RetryAfter) * time.Second
		}
		if !ok || rest > longestRest {
			return err
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
			return err
		}
	}
	return call()
}

// refused tells whether Telegram will not do something, however often it is asked.
func refused(err error) bool {
	return errors.Is(err, tg.ErrorBadRequest) || errors.Is(err, tg.ErrorForbidden)
}

// trouble logs what Telegram refused, or what did not reach it.
func (b *bot) trouble(err error) { slog.Warn("Telegram did not do it", "error", err) }

// say writes into a chat.
func (b *bot) say(ctx context.Context, chat int64, text string) {
	b.send(ctx, &tg.SendMessageParams{ChatID: chat, Text: text})
}

// answer writes a reply to a message.
func (b *bot) answer(ctx context.Context, m *models.Message, text string) {
	b.send(ctx, &tg.SendMessageParams{
		ChatID: m.Chat.ID, Text: text, ReplyParameters: &models.ReplyParameters{MessageID: m.ID, AllowSendingWithoutReply: true},
	})
}

func (b *bot) send(ctx context.Context, p *tg.SendMessageParams) {
	if err := patiently(ctx, func() error {
		_, err := b.api.SendMessage(ctx, p)
		return err
	}); err != nil {
		b.trouble(err)
	}
}

// A place is where a screen of the admin panel is, and for whom.
type place struct {
	chat    int64
	message int // 0: a new one
	who     *models.User
}

// draw puts text and buttons into a message.
func (b *bot) draw(ctx context.Context, at place, text string, rows [][]models.InlineKeyboardButton) {
	buttons := &models.InlineKeyboardMarkup{InlineKeyboard: rows}
	if at.message == 0 {
		b.send(ctx, &tg.SendMessageParams{ChatID: at.chat, Text: text, ReplyMarkup: buttons})
		return
	}
	err := patiently(ctx, func() error {
		_, err := b.api.EditMessageText(ctx, &tg.EditMessageTextParams{ChatID: at.chat, MessageID: at.message, Text: text, ReplyMarkup: buttons})
		return err
	})
	if err != nil && !strings.Contains(err.Error(), "message is not modified") {
		b.trouble(err)
	}
}
