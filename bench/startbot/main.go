// Command startbot is the bot whose start is measured by bench: it opens the
// database at DATABASE_PATH, asks it one question, says "ready" and ends when its
// input does.
//
//	startbot         opens it with boot.Start
//	startbot -plain  opens it with sql.Open and the same driver, as any program would
//	startbot -write  changes a row before it is ready
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"

	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/holdfast-backup/holdfast/boot"
)

func main() {
	plain := flag.Bool("plain", false, "open the database without boot")
	write := flag.Bool("write", false, "change a row")
	flag.Parse()
	if err := run(context.Background(), *plain, *write); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, plain, write bool) (err error) {
	db, end, err := open(ctx, os.Getenv("DATABASE_PATH"), plain)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if write {
		if _, err := db.ExecContext(ctx, "UPDATE messages SET at = at + 1 WHERE id = 1"); err != nil {
			return err
		}
	}
	var newest int64
	if err := db.QueryRowContext(ctx, "SELECT max(id) FROM messages").Scan(&newest); err != nil {
		return err
	}
	if _, err := fmt.Println("ready"); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// open gives the database and what ends its use. Both ways set the same pragmas.
func open(ctx context.Context, path string, plain bool) (*sql.DB, func() error, error) {
	if plain {
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=foreign_keys(1)&_pragma=synchronous(full)")
		if err != nil {
			return nil, nil, err
		}
		return db, db.Close, nil
	}
	store, err := boot.Start(ctx, boot.Options{
		Database: path,
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return nil, nil, err
	}
	return store.DB(), store.Close, nil
}
