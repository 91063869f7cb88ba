// Command bot is a small Telegram bot whose database outlives the disk it lies on.
// It needs nothing but the standard library and package boot: Telegram sends its
// updates to a webhook, and the answer to the request is the reply.
//
//	TELEGRAM_SECRET=… BOT_ADMIN=4711 HOLDFAST_REPOSITORY=s3://bucket/bot go run ./examples/bot
//
// main.go is the part that any bot would copy; bot.go is what this one does.
package main

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/holdfast-backup/holdfast/boot"
)

//go:embed migrations/*.sql
var migrations embed.FS

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	database := cmp.Or(os.Getenv("DATABASE_PATH"), "/tmp/bot_database.db")
	store, err := boot.Start(ctx, boot.Options{
		Database:      database,
		Mirror:        database + ".backup",
		Migrations:    migrations,
		MigrationsDir: "migrations",
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	db := store.DB()
	if err := store.Task("auto_unblock_task", time.Minute, func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "UPDATE users SET blocked_until = NULL WHERE blocked_until <= unixepoch()")
		return err
	}); err != nil {
		return err
	}
	if err := store.Task("cleanup_tracking_task", time.Hour, func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "DELETE FROM tracking WHERE seen < unixepoch() - 86400")
		return err
	}); err != nil {
		return err
	}
	return serve(store.Context(), &bot{store: store, db: db, secret: os.Getenv("TELEGRAM_SECRET"), admin: os.Getenv("BOT_ADMIN")})
}

// serve answers until ctx ends.
func serve(ctx context.Context, b *bot) error {
	listener, err := net.Listen("tcp", ":"+cmp.Or(os.Getenv("PORT"), "8080"))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			log.Print(err)
		}
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
