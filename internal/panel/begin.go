package panel

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
)

// soon is how long after its end a job still answers the button that began it: a double
// tap is no wish for a second one, but a press on the same old button later is.
const soon = 10 * time.Second

// once begins work, unless this very button has begun it a moment ago.
func (v *visit) once(ctx context.Context, kind, data string, again screen.Action, begin func(key string) (job.Job, error)) (said string) {
	key := v.key(data)
	if j, ok := v.taken(kind, key); ok {
		if !j.State.Ended() || v.p.o.Now().Sub(j.EndedAt.Time) < soon {
			v.work(ctx, j.ID)
			return ""
		}
		key = "" // a new wish
	}
	j, err := begin(key)
	if err != nil {
		v.fail(ctx, kind, err, again)
		return ""
	}
	v.work(ctx, j.ID)
	return v.r.L.T("panel.toast.begun")
}

// backUp begins a quick backup, or an enhanced one without a name.
func (v *visit) backUp(ctx context.Context, a screen.Action, data string) string {
	q := operation.BackupRequest{Trigger: holdfast.TriggerManual}
	if a.Verb == screen.DoQuick {
		q.Trigger = holdfast.TriggerQuick
	}
	return v.once(ctx, operation.KindBackup, data, screen.Action{Verb: screen.DoCreate}, func(key string) (job.Job, error) {
		return v.core.Operations.Backup(ctx, v.by(), key, q)
	})
}

// verify begins to read every byte of a backup.
func (v *visit) verify(ctx context.Context, a screen.Action, data string) string {
	b, _, ok := v.find(ctx, a)
	if !ok {
		return ""
	}
	again := screen.Action{Verb: screen.DoDetails, Backup: a.Backup, Page: a.Page}
	return v.once(ctx, operation.KindVerify, data, again, func(key string) (job.Job, error) {
		return v.core.Operations.Verify(ctx, v.by(), key, operation.VerifyRequest{Name: string(b.Name)})
	})
}

// confirmHold says that the newest backups are right although they are smaller.
func (v *visit) confirmHold(ctx context.Context, data string) string {
	return v.once(ctx, operation.KindConfirm, data, screen.Action{Verb: screen.DoOverview}, func(key string) (job.Job, error) {
		return v.core.Operations.Confirm(ctx, v.by(), key, operation.ConfirmRequest{})
	})
}

// askName asks for the name of a backup in a message of its own, which is to be answered.
func (v *visit) askName(ctx context.Context) { v.ask(ctx, screen.AskName(v.r, nil, false), nil) }

func (v *visit) ask(ctx context.Context, s screen.Screen, answers *models.Message) {
	params := &bot.SendMessageParams{
		ChatID: v.chat, Text: s.Text, ParseMode: models.ParseModeHTML,
		ReplyMarkup: models.ForceReply{ForceReply: true, Selective: answers != nil, InputFieldPlaceholder: "before-cleanup"},
	}
	if answers != nil {
		params.ReplyParameters = &models.ReplyParameters{MessageID: answers.ID, AllowSendingWithoutReply: true}
	}
	if _, err := v.p.o.API.Send(ctx, params); err != nil {
		v.p.log.Warn("a question of the Telegram panel could not be asked", keyChat, v.chat, keyError, err)
	}
}

// name takes the name of a backup and begins to make it, or says what is wrong with it.
func (v *visit) name(ctx context.Context, m *models.Message) {
	name := strings.TrimSpace(m.Text)
	if _, err := holdfast.ParseBackupName(name); err != nil {
		fault, _ := errors.AsType[*holdfast.NameError](err)
		v.ask(ctx, screen.AskName(v.r, fault, false), m)
		return
	}
	if all, _, err := v.backups(ctx); err == nil {
		if _, there := screen.Find(all, screen.Digest(name)); there {
			v.ask(ctx, screen.AskName(v.r, nil, true), m)
			return
		}
	}
	v.message = m.ID // of the answer: an update that comes twice makes one backup
	key := v.key(name)
	v.message = 0
	j, err := v.core.Operations.Backup(ctx, v.by(), key, operation.BackupRequest{Name: name, Trigger: holdfast.TriggerManual})
	if err != nil {
		v.fail(ctx, operation.KindBackup, err, screen.Action{Verb: screen.DoCreate})
		return
	}
	v.work(ctx, j.ID)
}
