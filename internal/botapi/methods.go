package botapi

import (
	"context"
	"errors"
	"strings"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

// Me tells who the bot is.
func (c *Client) Me(ctx context.Context) (me *models.User, err error) {
	err = c.call(ctx, "getMe", nil, func(ctx context.Context, _ any) (err error) {
		me, err = c.bot.GetMe(ctx)
		return err
	})
	return me, err
}

// Send sends a message.
func (c *Client) Send(ctx context.Context, p *bot.SendMessageParams) (m *models.Message, err error) {
	err = c.call(ctx, "sendMessage", p.ChatID, func(ctx context.Context, chat any) (err error) {
		to := *p
		to.ChatID = chat
		m, err = c.bot.SendMessage(ctx, &to)
		return err
	})
	return m, err
}

// Edit changes the text of a message. That it is so already is no error; the message is
// nil then.
func (c *Client) Edit(ctx context.Context, p *bot.EditMessageTextParams) (m *models.Message, err error) {
	err = c.call(ctx, "editMessageText", p.ChatID, func(ctx context.Context, chat any) (err error) {
		to := *p
		to.ChatID = chat
		m, err = c.bot.EditMessageText(ctx, &to)
		return unlessSaid(err, "message is not modified")
	})
	return m, err
}

// Answer ends the wait of who pressed a button. That it comes too late is no error.
func (c *Client) Answer(ctx context.Context, p *bot.AnswerCallbackQueryParams) error {
	return c.call(ctx, "answerCallbackQuery", nil, func(ctx context.Context, _ any) error {
		_, err := c.bot.AnswerCallbackQuery(ctx, p)
		return unlessSaid(err, "query is too old", "query ID is invalid")
	})
}

// Delete removes a message. It matches ErrNoMessage if there is none, and ErrFixedMessage
// if that is not allowed, or not any more.
func (c *Client) Delete(ctx context.Context, chat any, message int) error {
	return c.call(ctx, "deleteMessage", chat, func(ctx context.Context, chat any) error {
		_, err := c.bot.DeleteMessage(ctx, &bot.DeleteMessageParams{ChatID: chat, MessageID: message})
		return err
	})
}

// Caption changes the words below a document.
func (c *Client) Caption(ctx context.Context, chat any, message int, text string) error {
	return c.call(ctx, "editMessageCaption", chat, func(ctx context.Context, chat any) error {
		_, err := c.bot.EditMessageCaption(ctx, &bot.EditMessageCaptionParams{ChatID: chat, MessageID: message, Caption: text})
		return unlessSaid(err, "message is not modified")
	})
}

// Forward sends a message again, with what it holds now.
func (c *Client) Forward(ctx context.Context, from, to any, message int) (m *models.Message, err error) {
	err = c.call(ctx, "forwardMessage", to, func(ctx context.Context, to any) (err error) {
		m, err = c.bot.ForwardMessage(ctx, &bot.ForwardMessageParams{ChatID: to, FromChatID: c.movedTo(from), MessageID: message, DisableNotification: true})
		return err
	})
	return m, err
}

// Pin pins a message without ringing.
func (c *Client) Pin(ctx context.Context, chat any, message int) error {
	return c.call(ctx, "pinChatMessage", chat, func(ctx context.Context, chat any) error {
		_, err := c.bot.PinChatMessage(ctx, &bot.PinChatMessageParams{ChatID: chat, MessageID: message, DisableNotification: true})
		return err
	})
}

// Unpin takes a pin away.
func (c *Client) Unpin(ctx context.Context, chat any, message int) error {
	return c.call(ctx, "unpinChatMessage", chat, func(ctx context.Context, chat any) error {
		_, err := c.bot.UnpinChatMessage(ctx, &bot.UnpinChatMessageParams{ChatID: chat, MessageID: message})
		return err
	})
}

// Commands says what the bot's menu offers; an empty language is for all.
func (c *Client) Commands(ctx context.Context, chat int64, language string, commands []models.BotCommand) error {
	return c.call(ctx, "setMyCommands", nil, func(ctx context.Context, _ any) error {
		_, err := c.bot.SetMyCommands(ctx, &bot.SetMyCommandsParams{Commands: commands, Scope: &models.BotCommandScopeChat{ChatID: chat}, LanguageCode: language})
		return err
	})
}

// unlessSaid drops an error that says one of these.
func unlessSaid(err error, harmless ...string) error {
	for _, h := range harmless {
		if err != nil && errors.Is(err, bot.ErrorBadRequest) && strings.Contains(err.Error(), h) {
			return nil
		}
	}
	return err
}
