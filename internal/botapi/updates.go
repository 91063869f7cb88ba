package botapi

import (
	"context"
	"encoding/json"
	"time"

	"github.com/go-telegram/bot/models"
)

// longestPoll is as long as a server is waited for that says nothing yet.
const longestPoll = time.Minute

// Updates waits for what people wrote and pressed since an offset: the number after that
// of the last update that was taken. It is tried once; ErrLocked tells that another program
// fetches the updates of the bot.
//
// The library has a loop of its own for this, which takes updates before anybody has
// handled them.
func (c *Client) Updates(ctx context.Context, offset int64, timeout time.Duration) ([]models.Update, error) {
	updates, err := c.updates(ctx, offset, min(timeout, longestPoll))
	switch {
	case err == nil:
		return updates, nil
	case ctx.Err() != nil:
		return nil, c.stopped("getUpdates", nil, context.Cause(ctx))
	}
	return nil, c.fail("getUpdates", nil, err)
}

func (c *Client) updates(ctx context.Context, offset int64, timeout time.Duration) ([]models.Update, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout+answerWithin)
	defer cancel()
	var raw []json.RawMessage
	err := c.ask(ctx, "getUpdates", map[string]any{"offset": offset, "timeout": int(timeout.Seconds()), "allowed_updates": []string{"message", "callback_query"}}, &raw)
	if err != nil {
		return nil, err
	}
	return c.read(raw), nil
}

// read reads updates. One of a form that this version does not know is left empty but for
// its number: it must not keep those behind it from being read, and not come again.
func (c *Client) read(raw []json.RawMessage) []models.Update {
	updates := make([]models.Update, len(raw))
	for i, one := range raw {
		err := json.Unmarshal(one, &updates[i])
		if err == nil {
			continue
		}
		var number struct {
			ID int64 `json:"update_id"`
		}
		if json.Unmarshal(one, &number) != nil {
			number.ID = 0
		}
		updates[i] = models.Update{ID: number.ID}
		c.log.Warn("an update cannot be read and is left out", "update", number.ID, "error", c.clean(err))
	}
	return updates
}
