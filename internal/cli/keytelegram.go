package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/botapi"
)

type keyTelegramCmd struct {
	Former bool `help:"That of the bot's former token (telegram.former_token)."`
}

func (keyTelegramCmd) about() about {
	return about{
		text: `What is sent to a chat is encrypted by a passphrase that is made from the token of
the bot: who has the token needs nothing else. This prints the passphrase, for
"age -d" on a machine without holdfast. It is as secret as the token: it opens
every copy in a chat and every file that the panel has sent. Without a terminal
it needs --yes. Another token makes another passphrase.`,
		examples: []example{
			{"holdfast key telegram", "the passphrase, asked for by age -d"},
			{"holdfast key telegram --former", "for what was sent before the token was replaced"},
		},
		exits: []int{holdfast.ExitRefused},
	}
}

// keyTelegramObject is the outcome of key telegram.
type keyTelegramObject struct {
	Type       string `json:"type"` // key_telegram
	Passphrase string `json:"passphrase"`
	Former     bool   `json:"former"`
}

// Run prints the passphrase.
func (c *keyTelegramCmd) Run(ctx context.Context, a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	token, name := cfg.Telegram.Token, "HOLDFAST_TELEGRAM_TOKEN"
	if c.Former {
		token, name = cfg.Telegram.FormerToken, "HOLDFAST_TELEGRAM_FORMER_TOKEN"
	}
	if token == "" {
		return usagef("set "+name+", or name the file that holds it: "+name+"_FILE", "there is no token to make the passphrase from")
	}
	if err := a.ui.confirm(ctx, a.Yes, func() {}, "Show a secret that opens what was sent to Telegram?"); err != nil {
		return err
	}
	passphrase := botapi.Passphrase(token)
	a.ui.tell(keyTelegramObject{Type: "key_telegram", Passphrase: passphrase, Former: c.Former}, func() {
		a.ui.print("%s\n", passphrase)
		a.ui.note("%s whoever has it reads every copy in a chat; keep it as the token is kept.", a.ui.errPaint.yellow("This is a secret:"))
	})
	return nil
}
