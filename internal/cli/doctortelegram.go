package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/botapi"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// telegramWithin is how long the Bot API may take to answer the questions of doctor.
const telegramWithin = 15 * time.Second

// telegram asks whether the configured bot can be used, and whether its admins can be
// told of anything.
func (x *examination) telegram() {
	t := x.cfg.Telegram
	if t.Token == "" {
		return
	}
	client, err := botapi.New(botapi.Options{Token: t.Token, API: t.API, Proxy: t.Proxy, Patience: time.Second})
	if err != nil {
		x.failed("telegram", "", err)
		return
	}
	ctx, cancel := context.WithTimeout(x.ctx, telegramWithin)
	defer cancel()
	me, err := client.Me(ctx)
	if err != nil {
		x.failed("telegram", t.API, err)
		return
	}
	x.add("telegram", "@"+me.Username, checkOK, "", "the bot answers")
	for _, admin := range t.Admins {
		object := "admin " + strconv.FormatInt(admin, 10)
		_, err := client.Chat(ctx, admin)
		switch {
		case err == nil:
			x.add("telegram", object, checkOK, "", "can be told of alarms")
		case errors.Is(err, holdfast.ErrNotFound), errors.Is(err, holdfast.ErrRefused):
			x.add("telegram", object, checkWarn, fmt.Sprintf("write /start to @%s from that account, and look at the number", me.Username), "has not written to the bot: it cannot begin a chat")
		default:
			x.add("telegram", object, checkWarn, report.Hint(err), report.Text(err))
		}
	}
}
