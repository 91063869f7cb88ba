package botapi

import (
	"context"
	"encoding/json"

	"github.com/go-telegram/bot/models"
)

// Chat tells who a chat is, and the newest of its pinned messages. The rest of what
// Telegram tells of chats is left out: kinds of reactions or of gifts that did not exist
// when this was built must not keep anybody from finding the index of his copies. For the
// same reason a pinned message of an unknown form has a number only.
func (c *Client) Chat(ctx context.Context, chat any) (info *models.ChatFullInfo, err error) {
	err = c.call(ctx, "getChat", chat, func(ctx context.Context, chat any) error {
		var found struct {
			ID        int64
			Type      models.ChatType
			Title     string
			Username  string
			FirstName string           `json:"first_name"`
			LastName  string           `json:"last_name"`
			Pinned    *json.RawMessage `json:"pinned_message"`
		}
		if err := c.ask(ctx, "getChat", map[string]any{"chat_id": chat}, &found); err != nil {
			return err
		}
		info = &models.ChatFullInfo{
			ID: found.ID, Type: found.Type, Title: found.Title, Username: found.Username,
			FirstName: found.FirstName, LastName: found.LastName,
		}
		if found.Pinned != nil {
			info.PinnedMessage = c.pinned(*found.Pinned)
		}
		return nil
	})
	return info, err
}

// pinned reads a message as far as it can be read.
func (c *Client) pinned(raw json.RawMessage) *models.Message {
	var whole models.Message
	err := json.Unmarshal(raw, &whole)
	if err == nil {
		return &whole
	}
	var number struct {
		ID int `json:"message_id"`
	}
	if json.Unmarshal(raw, &number) != nil {
		number.ID = 0
	}
	c.log.Warn("a pinned message cannot be read", "message", number.ID, "error", c.clean(err))
	return &models.Message{ID: number.ID}
}
