package panel

import (
	"context"
	"errors"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
)

const (
	// pollFor is how long Telegram keeps a question for updates open.
	pollFor = 50 * time.Second
	// mostHandled bounds the updates that are handled, or wait for those before them.
	mostHandled = 64
	// firstPause and mostPause are how long it waits before it asks again after a failure.
	firstPause = time.Second
	mostPause  = time.Minute
)

// Run fetches updates and handles them until ctx ends; commands are the panel's then. It
// returns nil when ctx has ended, and otherwise why it cannot go on: the token is not
// accepted.
func (p *Panel) Run(ctx context.Context) error {
	p.Resume()
	p.commanded.Store(true)
	turns := &turns{room: make(chan struct{}, mostHandled), last: map[int64]chan struct{}{}}
	defer turns.work.Wait()
	turns.work.Go(func() { p.introduce(ctx) })
	offset, rest := int64(0), firstPause
	for ctx.Err() == nil {
		updates, err := p.o.API.Updates(ctx, offset, pollFor)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			p.broken(err)
			if errors.Is(err, holdfast.ErrUsage) {
				return err
			}
			select {
			case <-ctx.Done():
			case <-time.After(rest):
			}
			rest = min(2*rest, mostPause)
			continue
		}
		rest = firstPause
		p.works()
		for i := range updates {
			u := updates[i]
			offset = max(offset, u.ID+1)
			turns.take(ctx, userOf(&u), func() { p.contained(ctx, func() { p.Handle(ctx, &u) }) })
		}
	}
	return nil
}

// A line is how it goes with fetching updates. Only Run reads and writes it.
type line struct {
	said string // why it does not work; empty: it does
	good int    // how often it has worked since it did not
}

// steady is how often it must have worked to work again: where two programs fetch the
// updates of one bot, each of them is let through now and then.
const steady = 2

// broken tells that no updates come, once for each reason.
func (p *Panel) broken(err error) {
	p.line.good = 0
	if p.line.said == err.Error() {
		p.log.Debug("the Telegram panel still gets no updates", keyError, err)
		return
	}
	p.line.said = err.Error()
	p.log.Warn("the Telegram panel gets no updates; it asks again", keyError, err, keyHint, holdfast.HintOf(err))
	p.polled(err)
}

// works tells that updates come again.
func (p *Panel) works() {
	if p.line.said == "" {
		return
	}
	if p.line.good++; p.line.good == steady {
		p.line.said = ""
		p.log.Info("the Telegram panel gets updates again")
		p.polled(nil)
	}
}

// polled tells whoever wants to know how it goes with fetching updates.
func (p *Panel) polled(err error) {
	if p.o.Polled != nil {
		p.o.Polled(err)
	}
}

// contained keeps a fault in one update from ending the program that the panel is in.
func (p *Panel) contained(ctx context.Context, handle func()) {
	defer func() {
		if fault := recover(); fault != nil {
			p.log.ErrorContext(ctx, "handling a Telegram update panicked", keyError, fault)
		}
	}()
	handle()
}

// introduce asks who the bot is, and tells Telegram which commands it knows. Neither keeps
// it from working.
func (p *Panel) introduce(ctx context.Context) {
	me, err := p.o.API.Me(ctx)
	if err != nil {
		p.log.Debug("the bot could not be asked for its name", keyError, err)
		return
	}
	p.mu.Lock()
	p.name = me.Username
	p.mu.Unlock()
	for _, admin := range p.o.Admins {
		l := p.readerOf(admin).L
		menu := []models.BotCommand{{Command: "backup", Description: l.T("panel.backup")}, {Command: "admin", Description: l.T("panel.admin")}, {Command: "help", Description: l.T("panel.help")}}
		if err := p.o.API.Commands(ctx, admin, "", menu); err != nil {
			p.log.Debug("the menu of commands was not set for an admin", keyUser, admin, keyError, err)
		}
	}
}

// username is that of the bot, empty if nobody has asked.
func (p *Panel) username() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.name
}
