package main

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	tg "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

const (
	blockUsually = time.Hour            // for /block without a duration
	blockAtMost  = 365 * 24 * time.Hour // Telegram takes more for ever

	// Who writes more than perMinute messages in a minute is blocked for floodBlock.
	perMinute  = 20
	floodBlock = 10 * time.Minute
)

// lengthOf reads how long somebody is to be blocked: 90s, 15m, 2h, 3d.
func lengthOf(text string) (d time.Duration, ok bool) {
	if text == "" {
		return blockUsually, true
	}
	if days, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.Atoi(days)
		if err != nil || n > int(blockAtMost/(24*time.Hour)) {
			return 0, false
		}
		d = time.Duration(n) * 24 * time.Hour
	} else {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			return 0, false
		}
	}
	return d, d >= time.Second && d <= blockAtMost
}

// blockByReply answers /block 2h, written in reply to whom it is about.
func (b *bot) blockByReply(ctx context.Context, m *models.Message, length string) error {
	whom, ok := b.replied(ctx, m, "block_how")
	if !ok {
		return nil
	}
	d, ok := lengthOf(length)
	if !ok {
		b.answer(ctx, m, text(m.From, "block_how"))
		return nil
	}
	if _, err := b.db.ExecContext(ctx, "INSERT INTO users(id, name) VALUES(?, ?) ON CONFLICT DO NOTHING", whom.ID, nameOf(whom)); err != nil {
		return err
	}
	return b.block(ctx, m, whom, d)
}

// replied gives whom a command of a moderator is about.
func (b *bot) replied(ctx context.Context, m *models.Message, how string) (whom *models.User, ok bool) {
	if !b.moderates(ctx, m.Chat.ID, m.From.ID) {
		return nil, false
	}
	if m.ReplyToMessage == nil || m.ReplyToMessage.From == nil || m.ReplyToMessage.From.IsBot {
		b.answer(ctx, m, text(m.From, how))
		return nil, false
	}
	return m.ReplyToMessage.From, true
}

// moderates tells whether somebody may block others in a group: the admins of the bot,
// and those of the group.
func (b *bot) moderates(ctx context.Context, chat, user int64) bool {
	if b.admin(user) {
		return true
	}
	member, err := b.api.GetChatMember(ctx, &tg.GetChatMemberParams{ChatID: chat, UserID: user})
	if err != nil {
		b.trouble(err)
		return false
	}
	return member.Type == models.ChatMemberTypeOwner || member.Type == models.ChatMemberTypeAdministrator
}

// block keeps somebody from writing until d is over, and says so. What is stored comes
// first: whatever happens then, auto_unblock_task will lift it.
func (b *bot) block(ctx context.Context, m *models.Message, whom *models.User, d time.Duration) error {
	until := time.Now().Add(d).Round(time.Second)
	if _, err := b.db.ExecContext(ctx, "INSERT INTO blocks(chat_id, user_id, until) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET until = excluded.until", m.Chat.ID, whom.ID, until.Unix()); err != nil {
		return err
	}
	err := b.restrict(ctx, m.Chat.ID, whom.ID, &models.ChatPermissions{}, until)
	switch {
	case refused(err):
		why := err
		if _, err := b.db.ExecContext(ctx, "DELETE FROM blocks WHERE chat_id = ? AND user_id = ?", m.Chat.ID, whom.ID); err != nil {
			return err
		}
		b.answer(ctx, m, text(m.From, "refused", apart(nameOf(whom)), why))
		return nil
	case err != nil:
		b.trouble(err)
		b.answer(ctx, m, text(m.From, "unreachable"))
		return nil
	}
	slog.Info("blocked", "chat", m.Chat.ID, "user", whom.ID, "until", until.UTC().Format(time.RFC3339))
	b.answer(ctx, m, text(m.From, "blocked", apart(nameOf(whom)), moment(until)))
	return nil
}

// restrict says what somebody may do in a group. Telegram lifts a restriction by itself
// at its end, even if this program is gone by then, but not one of less than 30 seconds.
func (b *bot) restrict(ctx context.Context, chat, user int64, may *models.ChatPermissions, until time.Time) error {
	p := &tg.RestrictChatMemberParams{ChatID: chat, UserID: user, Permissions: may}
	if !until.IsZero() {
		p.UntilDate = int(until.Unix())
	}
	return patiently(ctx, func() error {
		_, err := b.api.RestrictChatMember(ctx, p)
		return err
	})
}

// everything is what a member may do who is not restricted.
var everything = models.ChatPermissions{
	CanSendMessages: true, CanSendAudios: true, CanSendDocuments: true, CanSendPhotos: true, CanSendVideos: true, CanSendVideoNotes: true, CanSendVoiceNotes: true,
	CanSendPolls: true, CanSendOtherMessages: true, CanAddWebPagePreviews: true, CanChangeInfo: true, CanInviteUsers: true, CanPinMessages: true, CanManageTopics: true,
}

// A blocked is somebody who may not write in a group until a moment.
type blocked struct {
	chat, user int64
	name       string
	until      time.Time
}

// Which blocks are asked for.
const (
	every     = "true"
	due       = "b.until <= unixepoch()"
	ofThisOne = "b.chat_id = ? AND b.user_id = ?"
)

// blocks gives the blocks of a kind, those first that end first, as many as one run of
// a task or a message can deal with.
func (b *bot) blocks(ctx context.Context, which string, args ...any) (all []blocked, err error) {
	rows, err := b.db.QueryContext(ctx, `SELECT b.chat_id, b.user_id, u.name, b.until FROM blocks b JOIN users u ON u.id = b.user_id
		WHERE `+which+` ORDER BY b.until LIMIT 100`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one blocked
		var until int64
		if err := rows.Scan(&one.chat, &one.user, &one.name, &until); err != nil {
			return nil, err
		}
		one.until = time.Unix(until, 0)
		all = append(all, one)
	}
	return all, rows.Err()
}

// unblockDue is auto_unblock_task: it lifts the blocks whose time is over. Those that it
// cannot lift now are tried again a minute later.
func (b *bot) unblockDue(ctx context.Context) error {
	over, err := b.blocks(ctx, due)
	for _, one := range over {
		var lifted bool
		var failed error
		if lifted, failed = b.lift(ctx, one); lifted {
			b.say(ctx, one.chat, both("unblocked", apart(one.name)))
		}
		err = errors.Join(err, failed)
	}
	return err
}

// lift lets somebody write again. A group that refuses has settled it otherwise: the
// person has left, or the bot is no admin there any more.
func (b *bot) lift(ctx context.Context, one blocked) (lifted bool, err error) {
	err = b.restrict(ctx, one.chat, one.user, &everything, time.Time{})
	if err != nil && !refused(err) {
		return false, err
	}
	if lifted = err == nil; !lifted {
		slog.Warn("a block ends, and Telegram does not lift it", "chat", one.chat, "user", one.user, "error", err)
	}
	// Somebody may have blocked him anew meanwhile: that block stays.
	_, err = b.db.ExecContext(ctx, "DELETE FROM blocks WHERE chat_id = ? AND user_id = ? AND until = ?", one.chat, one.user, one.until.Unix())
	return lifted, err
}

// unblockByReply answers /unblock, written in reply to whom it is about.
func (b *bot) unblockByReply(ctx context.Context, m *models.Message) error {
	whom, ok := b.replied(ctx, m, "unblock_how")
	if !ok {
		return nil
	}
	lifted, err := b.unblock(ctx, m.Chat.ID, whom.ID)
	switch {
	case err != nil:
		return err
	case lifted:
		b.answer(ctx, m, text(m.From, "unblocked", apart(nameOf(whom))))
	default:
		b.answer(ctx, m, text(m.From, "not_blocked", apart(nameOf(whom))))
	}
	return nil
}

// unblock lifts the block of somebody, if there is one.
func (b *bot) unblock(ctx context.Context, chat, user int64) (lifted bool, err error) {
	found, err := b.blocks(ctx, ofThisOne, chat, user)
	if err != nil || len(found) == 0 {
		return false, err
	}
	return b.lift(ctx, found[0])
}

// stopFlood blocks who writes too much.
func (b *bot) stopFlood(ctx context.Context, m *models.Message) error {
	var lately int
	if err := b.db.QueryRowContext(ctx, "SELECT count(*) FROM tracking WHERE user_id = ? AND chat_id = ? AND seen > unixepoch() - 60", m.From.ID, m.Chat.ID).Scan(&lately); err != nil {
		return err
	}
	if lately <= perMinute || b.moderates(ctx, m.Chat.ID, m.From.ID) {
		return nil
	}
	if already, err := b.blocks(ctx, ofThisOne, m.Chat.ID, m.From.ID); err != nil || len(already) > 0 {
		return err
	}
	return b.block(ctx, m, m.From, floodBlock)
}
