// Command bot is a small moderation bot for Telegram groups whose data outlives the
// machine it runs on. It counts who writes, keeps people quiet for a while, and has an
// admin panel; in that, System → 💾 Backup is package telegram.
//
//	TELEGRAM_TOKEN=… BOT_ADMINS=4711 go run ./examples/bot
//
// README.md says what it does and how to run it. Where to look:
//
//   - main.go is the part that any bot would copy: database, tasks, panel. settings.go
//     is what the environment says.
//   - bot.go sends each update to where it belongs; members.go, blocks.go and menu.go
//     are what the bot is about; status.go is what it tells of its backups.
//   - updates.go and web.go bring the updates, by long polling or by a webhook; chat.go
//     talks back, in the words of words.go.
package main

import (
	"context"
	"embed"
	"errors"
	"log"

	"github.com/holdfast-backup/holdfast/boot"
	"github.com/holdfast-backup/holdfast/telegram"
)

//go:embed migrations/*.sql
var migrations embed.FS

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	s, err := fromEnvironment()
	if err != nil {
		return err
	}
	store, err := boot.Start(ctx, boot.Options{
		Database:      s.database,
		Mirror:        s.database + ".backup",
		Migrations:    migrations,
		MigrationsDir: "migrations",
		Telegram:      boot.Telegram{Token: s.token, Admins: s.admins, Replica: s.replica},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	b, err := newBot(store, s)
	if err != nil {
		return err
	}
	if err := store.Task("auto_unblock_task", s.unblockEvery, b.unblockDue); err != nil {
		return err
	}
	if err := store.Task("cleanup_tracking_task", s.cleanupEvery, b.forgetOld); err != nil {
		return err
	}
	if len(s.admins) > 0 {
		b.backups, err = telegram.New(telegram.Options{
			Store: store,
			Back:  &telegram.Button{Text: words("system"), Data: toSystem},
		})
		if err != nil {
			return err
		}
	}
	return b.serve(store.Context())
}
