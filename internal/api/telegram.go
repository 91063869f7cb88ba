package api

import (
	"context"
	"net/http"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
)

// maxUpdate bounds an update of the Bot API, which is a few kilobytes.
const maxUpdate = 1 << 20

// The body is handed on as it came: the panel knows more of it than is said here.
type updateInput struct {
	Body    telegramUpdate
	RawBody []byte
}

type telegramUpdate struct {
	UpdateID int64 `json:"update_id" doc:"The number of the update."`
}

type updateOutput struct{ Body handled }

type handled struct {
	Handled bool `json:"handled" doc:"Whether it was for the panel; otherwise it is the bot's own."`
}

// addTelegram adds the way of a bot's updates to the panel.
func (s *server) addTelegram() {
	add(s, route{
		id: "passUpdate", method: http.MethodPost, path: "/telegram/updates", tag: "state", scopes: []access.Scope{access.ScopeAdmin}, status: http.StatusOK,
		maxBody: maxUpdate, openBody: true,
		summary: "Pass an update of the bot on to the panel",
		description: "For a bot whose updates another program fetches (`telegram.updates: api`): one update of the Bot API, as Telegram sends it. " +
			"The answer comes when it has been dealt with. Worth passing on are callback queries whose data begins with `hf:`, and replies to messages of the bot. " +
			"A button with the data `hf:bak` opens the panel.",
	}, func(ctx context.Context, in *updateInput) (*updateOutput, error) {
		take := s.core().Telegram
		if take == nil {
			return nil, &holdfast.Error{
				Op: "telegram panel", Err: holdfast.Kindf(holdfast.ErrRefused, "there is no panel that takes updates here"),
				Hint: "set HOLDFAST_TELEGRAM_TOKEN and HOLDFAST_TELEGRAM_ADMINS, and telegram.updates to api",
			}
		}
		return &updateOutput{handled{take(ctx, in.RawBody)}}, nil
	})
}
