package main

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"strconv"

	"github.com/holdfast-backup/holdfast/boot"
)

// A bot counts who writes to it, and blocks for ten minutes who writes too much.
type bot struct {
	store  *boot.Store
	db     *sql.DB
	secret string // that Telegram sends with each update
	admin  string // the id of the user who may see and make backups
}

// An update is the part of Telegram's that this bot reads.
type update struct {
	Message struct {
		Text string `json:"text"`
		From struct {
			ID   int64  `json:"id"`
			Name string `json:"first_name"`
		} `json:"from"`
	} `json:"message"`
}

// An answer to a webhook is a method that Telegram calls.
type answer struct {
	Method string `json:"method"`
	Chat   int64  `json:"chat_id"`
	Text   string `json:"text"`
}

const (
	perMinute    = 20
	blockSeconds = 600
	longest      = 1 << 20 // of an update
)

// ServeHTTP takes one update.
func (b *bot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Telegram-Bot-Api-Secret-Token")), []byte(b.secret)) != 1 {
		http.Error(w, "who is asking?", http.StatusUnauthorized)
		return
	}
	var u update
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, longest)).Decode(&u); err != nil {
		http.Error(w, "not an update", http.StatusBadRequest)
		return
	}
	text, err := b.reply(r.Context(), u)
	if err != nil {
		log.Print(err)
		http.Error(w, "later", http.StatusInternalServerError) // Telegram sends it again
		return
	}
	if text == "" {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer{Method: "sendMessage", Chat: u.Message.From.ID, Text: text}); err != nil {
		log.Print(err)
	}
}

// reply is what to say; empty is nothing.
func (b *bot) reply(ctx context.Context, u update) (string, error) {
	from := u.Message.From
	allowed, err := b.seen(ctx, from.ID, from.Name)
	if err != nil || !allowed {
		return "", err
	}
	if strconv.FormatInt(from.ID, 10) == b.admin {
		switch u.Message.Text {
		case "/status":
			return b.status(), nil
		case "/backup":
			return b.backup(ctx)
		}
	}
	var users int
	err = b.db.QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&users)
	return fmt.Sprintf("Hello %s, I know %d of you.", from.Name, users), err
}

// seen remembers a message, and tells whether its sender may have an answer.
func (b *bot) seen(ctx context.Context, id int64, name string) (allowed bool, err error) {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to undo
	var lately int
	var blocked bool
	if _, err := tx.ExecContext(ctx, "INSERT INTO users(id, name) VALUES(?, ?) ON CONFLICT DO UPDATE SET name = excluded.name", id, name); err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO tracking(user_id) VALUES(?)", id); err != nil {
		return false, err
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM tracking WHERE user_id = ? AND seen > unixepoch() - 60", id).Scan(&lately); err != nil {
		return false, err
	}
	if lately > perMinute {
		if _, err := tx.ExecContext(ctx, "UPDATE users SET blocked_until = unixepoch() + ? WHERE id = ?", blockSeconds, id); err != nil {
			return false, err
		}
	}
	if err := tx.QueryRowContext(ctx, "SELECT blocked_until IS NOT NULL FROM users WHERE id = ?", id).Scan(&blocked); err != nil {
		return false, err
	}
	return !blocked, tx.Commit()
}

// status is what an administrator wants to know.
func (b *bot) status() string {
	status := b.store.Status()
	text := status.Message
	if status.Survival != nil {
		text += "\nstorage: " + status.Survival.Words
	}
	for _, problem := range status.Problems {
		text += "\n" + string(problem.Severity) + ": " + problem.Message
	}
	return text
}

// backup makes one now.
func (b *bot) backup(ctx context.Context) (string, error) {
	made, err := b.store.Backup(ctx, boot.BackupOptions{Quick: true})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Backed up to %s: %d rows, %d bytes stored.", made.Name, made.Rows, made.StoredBytes), nil
}
