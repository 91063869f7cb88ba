package panel

import (
	"context"
	"encoding/json"

	"github.com/go-telegram/bot/models"
)

// HandleJSON is Handle for an update as the Bot API sends it.
func (p *Panel) HandleJSON(ctx context.Context, update []byte) (handled bool) {
	var u models.Update
	if err := json.Unmarshal(update, &u); err != nil {
		p.log.Debug("what was passed on is no update", keyError, err)
		return false
	}
	return p.Handle(ctx, &u)
}
