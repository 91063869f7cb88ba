package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	tg "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/boot"
)

// What the buttons of the bot's own menu call back. Those of the panel begin otherwise.
const (
	toAdmin   = "bot:admin"
	toUsers   = "bot:users"
	toBlocked = "bot:blocked"
	toSystem  = "bot:system"
	toBackup  = "bot:backup"
	toLift    = "bot:lift:" // chat:user
)

// pressed takes a press of a button. Whoever is no admin gets no answer.
func (b *bot) pressed(ctx context.Context, q *models.CallbackQuery) {
	if !b.admin(q.From.ID) || q.Message.Message == nil {
		return
	}
	at := place{chat: q.Message.Message.Chat.ID, message: q.Message.Message.ID, who: &q.From}
	err := b.show(ctx, at, q.Data)
	said := ""
	if err != nil {
		slog.Error("a button was not dealt with", "button", q.Data, "error", err)
		said = text(at.who, "failed")
	}
	// An answer that comes too late does no harm.
	if _, late := b.api.AnswerCallbackQuery(ctx, &tg.AnswerCallbackQueryParams{CallbackQueryID: q.ID, Text: said}); late != nil && !refused(late) {
		b.trouble(late)
	}
}

// show draws the screen that a button leads to.
func (b *bot) show(ctx context.Context, at place, data string) error {
	switch data {
	case toAdmin:
		b.draw(ctx, at, text(at.who, "admin"), [][]models.InlineKeyboardButton{
			{button(at.who, "users", toUsers), button(at.who, "blocked_list", toBlocked)},
			{button(at.who, "system", toSystem)},
		})
		return nil
	case toUsers:
		return b.showUsers(ctx, at)
	case toBlocked:
		return b.showBlocked(ctx, at)
	case toSystem:
		b.draw(ctx, at, b.system(at.who), [][]models.InlineKeyboardButton{
			{button(at.who, "backup", toBackup)}, {button(at.who, "refresh", toSystem), button(at.who, "back", toAdmin)},
		})
		return nil
	case toBackup:
		return b.backups.Open(ctx, at.chat, at.who.ID, at.message)
	}
	if whom, ok := strings.CutPrefix(data, toLift); ok {
		return b.liftPressed(ctx, at, whom)
	}
	return nil
}

func button(who *models.User, word, data string) models.InlineKeyboardButton {
	return models.InlineKeyboardButton{Text: text(who, word), CallbackData: data}
}

// showUsers draws who was there lately.
func (b *bot) showUsers(ctx context.Context, at place) error {
	known, err := b.known(ctx)
	if err != nil {
		return err
	}
	rows, err := b.db.QueryContext(ctx, `SELECT u.name, u.id, coalesce(sum(m.sent), 0) FROM users u LEFT JOIN messages m ON m.user_id = u.id
		GROUP BY u.id ORDER BY u.last DESC, u.id LIMIT 10`)
	if err != nil {
		return err
	}
	defer rows.Close()
	lines := []string{text(at.who, "users_title", known)}
	for rows.Next() {
		var name string
		var id int64
		var sent int
		if err := rows.Scan(&name, &id, &sent); err != nil {
			return err
		}
		lines = append(lines, text(at.who, "user", apart(name), apart(strconv.FormatInt(id, 10)), sent))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	b.draw(ctx, at, strings.Join(lines, "\n"), [][]models.InlineKeyboardButton{{button(at.who, "refresh", toUsers), button(at.who, "back", toAdmin)}})
	return nil
}

// mostLifted bounds the buttons below a message.
const mostLifted = 10

// showBlocked draws who may not write, each with a button to let him.
func (b *bot) showBlocked(ctx context.Context, at place) error {
	all, err := b.blocks(ctx, every)
	if err != nil {
		return err
	}
	lines := []string{text(at.who, "blocked_title", len(all))}
	var rows [][]models.InlineKeyboardButton
	for i, one := range all {
		if i == mostLifted {
			break
		}
		lines = append(lines, text(at.who, "until", apart(one.name), moment(one.until)))
		rows = append(rows, []models.InlineKeyboardButton{{
			Text: "🔓 " + one.name, CallbackData: fmt.Sprintf("%s%d:%d", toLift, one.chat, one.user),
		}})
	}
	rows = append(rows, []models.InlineKeyboardButton{button(at.who, "refresh", toBlocked), button(at.who, "back", toAdmin)})
	b.draw(ctx, at, strings.Join(lines, "\n"), rows)
	return nil
}

// liftPressed lets somebody write again, and draws who is left.
func (b *bot) liftPressed(ctx context.Context, at place, whom string) error {
	chat, user, _ := strings.Cut(whom, ":")
	c, errChat := strconv.ParseInt(chat, 10, 64)
	u, errUser := strconv.ParseInt(user, 10, 64)
	if errChat != nil || errUser != nil {
		return nil // no button of ours
	}
	if _, err := b.unblock(ctx, c, u); err != nil {
		return err
	}
	return b.showBlocked(ctx, at)
}

// system tells how the program stands: where the database lies, and how the tasks went.
func (b *bot) system(who *models.User) string {
	status := b.store.Status()
	place := "on_disk"
	if status.State == boot.Degraded {
		place = "in_memory"
	}
	lines := []string{text(who, "system"), "", text(who, place)}
	for _, task := range status.Tasks {
		when := text(who, "not_yet")
		if task.LastAt != nil {
			when = moment(task.LastAt.Time)
		}
		line := fmt.Sprintf("%s · %s", apart(task.Name), when)
		if task.Error != "" {
			line += " ⚠️"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
