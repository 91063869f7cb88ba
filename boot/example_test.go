package boot_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"modernc.org/sqlite"

	"github.com/holdfast-backup/holdfast/boot"
)

// scratch is a directory for the examples; a bot names its own paths.
func scratch() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "bot-")
	if err != nil {
		log.Fatal(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

// The smallest bot. It loses its disk, and goes on with what it had.
func Example() {
	dir, remove := scratch()
	defer remove()
	options := boot.Options{
		Database:   filepath.Join(dir, "data", "bot_database.db"),
		Repository: filepath.Join(dir, "backups"), // or s3://bucket/bot
		Logger:     slog.New(slog.DiscardHandler),
	}

	store, err := boot.Start(context.Background(), options)
	if err != nil {
		log.Fatal(err)
	}
	db := store.DB()
	if _, err := db.Exec("CREATE TABLE users(name TEXT); INSERT INTO users VALUES('Nok'), ('Parisa')"); err != nil {
		log.Fatal(err)
	}
	if err := store.Close(); err != nil { // usually deferred in main
		log.Fatal(err)
	}

	os.RemoveAll(filepath.Join(dir, "data")) // the platform moves the bot to another machine

	store, err = boot.Start(context.Background(), options)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	var users int
	if err := store.DB().QueryRow("SELECT count(*) FROM users").Scan(&users); err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.Status().Sources[0].Start.Action, users, "users")
	// Output: restored 2 users
}

// Migrations are SQL files that are embedded in the program. They run before the
// database is handed out, and a backup comes before them.
func Example_migrations() {
	migrations := fstest.MapFS{ // in a bot: an embed.FS, with //go:embed migrations/*.sql
		"migrations/00001_users.sql":   {Data: []byte("-- +goose Up\nCREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT);\n")},
		"migrations/00002_blocked.sql": {Data: []byte("-- +goose Up\nALTER TABLE users ADD COLUMN blocked_until INTEGER;\n")},
	}
	dir, remove := scratch()
	defer remove()
	store, err := boot.Start(context.Background(), boot.Options{
		Database:      filepath.Join(dir, "bot_database.db"),
		Repository:    filepath.Join(dir, "backups"),
		Migrations:    migrations,
		MigrationsDir: "migrations",
		Logger:        slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	m := store.Status().Sources[0].Migration
	fmt.Printf("from version %d to %d: %v\n", m.From, m.To, m.Applied)
	// Output: from version 0 to 2: [00001_users.sql 00002_blocked.sql]
}

// Periodic work: never beside itself, with its panics contained, and shown in the
// status together with the backups.
func ExampleStore_Task() {
	dir, remove := scratch()
	defer remove()
	store, err := boot.Start(context.Background(), boot.Options{
		Database:   filepath.Join(dir, "bot_database.db"),
		Repository: filepath.Join(dir, "backups"),
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	db := store.DB()
	err = store.Task("auto_unblock_task", time.Minute, func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "UPDATE users SET blocked_until = NULL WHERE blocked_until < unixepoch()")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	err = store.Task("cleanup_tracking_task", time.Hour, func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "DELETE FROM tracking WHERE seen < unixepoch() - 86400")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, task := range store.Status().Tasks {
		fmt.Println(task.Name, "every", task.Every())
	}
	// Output:
	// backup_task every 6h0m0s
	// auto_unblock_task every 1m0s
	// cleanup_tracking_task every 1h0m0s
}

// What a bot tells its administrators.
func ExampleStore_Status() {
	dir, remove := scratch()
	defer remove()
	store, err := boot.Start(context.Background(), boot.Options{
		Database:   filepath.Join(dir, "bot_database.db"),
		Repository: filepath.Join(dir, "backups"),
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	status := store.Status()
	switch status.State {
	case boot.Ready:
		fmt.Println("ready:", status.Sources[0].Start.Reason)
	case boot.Degraded:
		fmt.Println("the database lies in memory:", status.Sources[0].Reason)
	}
	// Output: ready: the database was missing, and there is no backup of it: a first start
}

// A backup before something that may go wrong, and the way back.
func ExampleStore_Restore() {
	dir, remove := scratch()
	defer remove()
	ctx := context.Background()
	store, err := boot.Start(ctx, boot.Options{
		Database:   filepath.Join(dir, "bot_database.db"),
		Repository: filepath.Join(dir, "backups"),
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	db := store.DB()
	if _, err := db.Exec("CREATE TABLE users(name TEXT); INSERT INTO users VALUES('Nok')"); err != nil {
		log.Fatal(err)
	}
	if _, err := store.Backup(ctx, boot.BackupOptions{Name: "before_the_party", Note: "all is well"}); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec("DELETE FROM users"); err != nil {
		log.Fatal(err)
	}
	if _, err := store.Restore(ctx, "before_the_party"); err != nil {
		log.Fatal(err)
	}
	var name string
	if err := db.QueryRow("SELECT name FROM users").Scan(&name); err != nil { // the same handle
		log.Fatal(err)
	}
	fmt.Println(name, "is back")
	// Output: Nok is back
}

// A bot with a SQLite library of its own passes how to open.
func Example_anotherLibrary() {
	dir, remove := scratch()
	defer remove()
	library := new(sqlite.Driver) // or that of another library
	store, err := boot.Start(context.Background(), boot.Options{
		Database:   filepath.Join(dir, "bot_database.db"),
		Repository: filepath.Join(dir, "backups"),
		Open: func(_ context.Context, uri string) (driver.Conn, error) {
			return library.Open(uri + "&_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)")
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	var mode string
	if err := store.DB().QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil {
		log.Fatal(err)
	}
	fmt.Println(mode)
	// Output: wal
}
