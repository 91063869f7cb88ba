package panel

import (
	"context"
	"errors"

	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/internal/panel/screen"
)

// A Notice is something that has happened, for all admins.
type Notice = screen.NoticeModel

// Tell says to every admin what has happened, each in his language; nothing, if there is
// nothing worth telling.
func (p *Panel) Tell(ctx context.Context, n Notice) error {
	var errs []error
	for _, admin := range p.o.Admins {
		errs = append(errs, p.TellTo(ctx, admin, n))
	}
	return errors.Join(errs...)
}

// TellTo says it to one of them, in the chat that he has with the bot.
func (p *Panel) TellTo(ctx context.Context, admin int64, n Notice) error {
	if !n.Worth() {
		return nil
	}
	_, err := p.put(ctx, admin, 0, screen.Notice(p.reader(models.User{ID: admin}), n))
	return err
}
