package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-telegram/bot/models"
)

// trackedFor is how long single messages are remembered. Telegram keeps updates for a
// day, so that a message that comes twice is told from a new one.
const trackedFor = 48 * time.Hour

// seen remembers a message, and tells whether it is a new one: two instances of the bot
// that overlap, or a webhook that was answered too late, bring some twice.
func (b *bot) seen(ctx context.Context, m *models.Message) (fresh bool, err error) {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to undo
	if _, err := tx.ExecContext(ctx, "INSERT INTO users(id, name) VALUES(?, ?) ON CONFLICT DO UPDATE SET name = excluded.name, last = unixepoch()", m.From.ID, nameOf(m.From)); err != nil {
		return false, err
	}
	done, err := tx.ExecContext(ctx, "INSERT INTO tracking(chat_id, message_id, user_id) VALUES(?, ?, ?) ON CONFLICT DO NOTHING", m.Chat.ID, m.ID, m.From.ID)
	if err != nil {
		return false, err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO messages(chat_id, user_id, sent) VALUES(?, ?, 1) ON CONFLICT DO UPDATE SET sent = sent + 1", m.Chat.ID, m.From.ID); err != nil {
		return false, err
	}
	return true, tx.Commit()
}

// nameOf is what somebody is called.
func nameOf(u *models.User) string {
	return strings.TrimSpace(u.FirstName + " " + u.LastName)
}

// known counts everybody who has written.
func (b *bot) known(ctx context.Context) (n int, err error) {
	err = b.db.QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&n)
	return n, err
}

// forgetOld is cleanup_tracking_task.
func (b *bot) forgetOld(ctx context.Context) error {
	_, err := b.db.ExecContext(ctx, "DELETE FROM tracking WHERE seen < unixepoch() - ?", int64(trackedFor.Seconds()))
	return err
}

// showTracking answers /tracking: who has written most in the group, ever and lately.
func (b *bot) showTracking(ctx context.Context, m *models.Message) error {
	rows, err := b.db.QueryContext(ctx, `SELECT u.name, m.sent, (SELECT count(*) FROM tracking t WHERE t.chat_id = m.chat_id AND t.user_id = m.user_id)
		FROM messages m JOIN users u ON u.id = m.user_id WHERE m.chat_id = ? ORDER BY m.sent DESC, u.id LIMIT 10`, m.Chat.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	lines := []string{text(m.From, "tracking")}
	for rows.Next() {
		var name string
		var sent, lately int
		if err := rows.Scan(&name, &sent, &lately); err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%s: %s", apart(name), text(m.From, "wrote", sent, lately)))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	b.answer(ctx, m, strings.Join(lines, "\n"))
	return nil
}
