package panel

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A visit is one admin with one message: what he asks for is drawn into it.
type visit struct {
	p       *Panel
	core    Core
	user    models.User
	chat    int64
	message int    // 0: a new one is sent
	query   string // of the button that was pressed; empty: none was
	r       screen.Reader
}

func (p *Panel) visit(u models.User) *visit {
	p.heard(u)
	return &visit{p: p, core: p.o.Core(), user: u, r: p.reader(u)}
}

// reader is who looks: in the language that he chose, that the panel was given, or that
// his Telegram speaks.
func (p *Panel) reader(u models.User) screen.Reader {
	return screen.Reader{L: p.localeOf(u.ID, u.LanguageCode), Now: p.o.Now()}
}

// readerOf is a user who asked earlier.
func (p *Panel) readerOf(id int64) screen.Reader { return p.reader(models.User{ID: id}) }

func (p *Panel) localeOf(id int64, code string) *locale.Locale {
	var chosen locale.Lang
	p.state.look(func(k kept) {
		chosen = k.Languages[id]
		code = cmp.Or(code, k.Spoken[id])
	})
	return locale.Of(locale.Match(cmp.Or(string(chosen), p.o.Language), code))
}

// heard notes which language somebody's Telegram speaks, for what he is told by itself.
func (p *Panel) heard(u models.User) {
	known := false
	p.state.look(func(k kept) { known = k.Spoken[u.ID] == u.LanguageCode })
	if known || u.LanguageCode == "" {
		return
	}
	p.unkept(p.state.change(func(k *kept) { k.Spoken[u.ID] = u.LanguageCode }))
}

// unkept logs that the state could not be written.
func (p *Panel) unkept(err error) {
	if err != nil {
		p.log.Warn("the Telegram panel cannot write down what it has to remember", keyError, err)
	}
}

// by names the admin in jobs.
func (v *visit) by() string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(v.user.FirstName, ""))
	if runes := []rune(name); len(runes) > mostBy {
		name = string(runes[:mostBy])
	}
	if name = strings.TrimSpace(name); name == "" {
		return fmt.Sprintf("telegram:%d", v.user.ID)
	}
	return fmt.Sprintf("%s (telegram:%d)", name, v.user.ID)
}

// mostBy bounds the name of an admin in jobs.
const mostBy = 32

// key makes the second tap on a button the same as the first.
func (v *visit) key(data string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %s", v.chat, v.message, data))
	return "telegram-" + hex.EncodeToString(sum[:12])
}

// show draws a screen into the message of the visit. One that cannot be edited any more,
// or is gone, is left behind for a new one.
func (v *visit) show(ctx context.Context, s screen.Screen) {
	v.p.detach(place{v.chat, v.message}, "")
	if err := v.draw(ctx, s); err != nil {
		v.p.log.Warn("a screen of the Telegram panel could not be shown", keyChat, v.chat, keyError, err, keyHint, holdfast.HintOf(err))
	}
}

func (v *visit) draw(ctx context.Context, s screen.Screen) error {
	message, err := v.p.put(ctx, v.chat, v.message, s)
	if err == nil {
		v.message = message
	}
	return err
}

// put shows a screen in a message; 0, or one that cannot be edited: in a new one.
func (p *Panel) put(ctx context.Context, chat int64, message int, s screen.Screen) (int, error) {
	off := true
	markup := s.Markup()
	if message != 0 {
		_, err := p.o.API.Edit(ctx, &bot.EditMessageTextParams{
			ChatID: chat, MessageID: message, Text: s.Text, ParseMode: models.ParseModeHTML,
			LinkPreviewOptions: &models.LinkPreviewOptions{IsDisabled: &off}, ReplyMarkup: markup,
		})
		if err == nil || passing(ctx, err) {
			return message, err
		}
	}
	m, err := p.o.API.Send(ctx, &bot.SendMessageParams{
		ChatID: chat, Text: s.Text, ParseMode: models.ParseModeHTML,
		LinkPreviewOptions: &models.LinkPreviewOptions{IsDisabled: &off}, ReplyMarkup: markup,
	})
	if err != nil {
		return message, err
	}
	return m.ID, nil
}

// passing tells whether it may work later what does not work now.
func passing(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || holdfast.CauseOf(err) == holdfast.CauseUnreachable
}

// lookWithin is how long the engine may take to tell what a screen shows.
const lookWithin = 30 * time.Second

// looking bounds how long is looked.
func looking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, lookWithin)
}

// told makes of an error what a screen shows of it.
func told(op string, err error) report.Error {
	return report.NewError(op, holdfast.ExitCode(err), err)
}

// fail shows why something was not done.
func (v *visit) fail(ctx context.Context, op string, err error, again screen.Action) {
	v.p.log.Warn("the Telegram panel could not do what was asked", keyOp, op, keyError, err)
	v.show(ctx, screen.Failed(v.r, told(op, err), again))
}
