package wire

import (
	"log/slog"
	"sync"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/telegram"
	"github.com/holdfast-backup/holdfast/internal/botapi"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// bots are the clients of this process: one for each bot, so that everything that
// talks to Telegram here keeps to one pace.
var bots = struct {
	sync.Mutex
	clients map[bot]*botapi.Client
}{clients: map[bot]*botapi.Client{}}

type bot struct{ token, api, proxy string }

// Bot gives the client of the configured bot. It tells the logger of whoever asked
// first; nil is nobody.
func Bot(c *config.Config, log *slog.Logger) (*botapi.Client, error) {
	t := c.Telegram
	if t.Token == "" {
		return nil, &holdfast.Error{
			Op: "telegram", Err: holdfast.Kindf(holdfast.ErrUsage, "the token of the bot is missing"),
			Hint: "set HOLDFAST_TELEGRAM_TOKEN, or name the file that holds it: HOLDFAST_TELEGRAM_TOKEN_FILE",
		}
	}
	bots.Lock()
	defer bots.Unlock()
	key := bot{t.Token, t.API, t.Proxy}
	if client := bots.clients[key]; client != nil {
		return client, nil
	}
	client, err := botapi.New(botapi.Options{Token: t.Token, API: t.API, Proxy: t.Proxy, Logger: log})
	if err != nil {
		return nil, err
	}
	bots.clients[key] = client
	return client, nil
}

// chatAt gives the bucket in a chat.
func chatAt(c *config.Config, place string, log *slog.Logger) (*telegram.Bucket, error) {
	o, err := telegram.Parse(place)
	if err != nil {
		return nil, err
	}
	client, err := Bot(c, log)
	if err != nil {
		return nil, err
	}
	o.Client, o.Logger = client, log
	if o.Recipient, err = botapi.Recipient(c.Telegram.Token); err != nil {
		return nil, err
	}
	for _, token := range []string{c.Telegram.Token, c.Telegram.FormerToken} {
		if token == "" {
			continue
		}
		id, err := botapi.Identity(token)
		if err != nil {
			return nil, err
		}
		o.Identities = append(o.Identities, age.Identity(id))
	}
	// Without a state directory the pinned message tells, or the URL.
	if state, err := StateDir(c); err == nil {
		o.State = state
	}
	return telegram.New(o)
}

// limits tells what a replica cannot promise; nil if it promises what others do.
func limits(c *config.Config, place string) func() []string {
	if !config.IsTelegram(place) {
		return nil
	}
	return func() []string {
		b, err := chatAt(c, place, nil)
		if err != nil {
			return nil // told by whoever opens it
		}
		return b.Limits()
	}
}
