package daemon

import (
	"context"
	"path/filepath"

	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/desk"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// alarmsFile, in the state directory, holds what is wrong and who was told when.
const alarmsFile = "alarms.json"

// newBoard makes the board of a configuration; what an earlier one knew is in its file. If
// that cannot be written, alarms are remembered only as long as this process lives.
func (d *daemon) newBoard(of *core) (*alarm.Board, error) {
	c := of.config
	sender, err := d.sender(c)
	if err != nil {
		return nil, err
	}
	if of.panel != nil {
		sender = alarm.Together(sender, desk.Services(of.panel, c.Telegram.Admins)...)
	}
	o := alarm.OptionsFor(c)
	o.File, o.Repository = filepath.Join(d.state, alarmsFile), wire.Location(c.Repository)
	o.Sender, o.Now, o.Logger = sender, d.o.Now, d.log
	board, err := alarm.New(o)
	if err != nil {
		d.failed("alarms are not remembered over a restart", err)
		o.File = ""
		board, err = alarm.New(o)
	}
	return board, err
}

// sender tells those who want to know of alarms; nil: nobody does.
func (d *daemon) sender(c *config.Config) (alarm.Sender, error) {
	if d.o.Sender != nil || len(c.Notify.URLs) == 0 {
		return d.o.Sender, nil
	}
	s, err := alarm.Shoutrrr(c.Notify.URLs, c.Notify.SendTimeout)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// test sends a test to everybody who is told of alarms. The URLs were looked at when the
// configuration was.
func (c *core) test(ctx context.Context) []alarm.Delivery {
	s, err := alarm.Shoutrrr(c.config.Notify.URLs, c.config.Notify.SendTimeout)
	if err != nil || s == nil {
		return []alarm.Delivery{}
	}
	return s.Test(ctx, c.d.single.tag.Host)
}
