// Package panel is the admin panel in a Telegram chat: what there is to see and to do
// about backups, for the few people who are listed.
//
// Start from [New]. [Panel.Handle] takes an update that somebody else received,
// [Panel.Run] fetches updates itself; [Panel.Open] draws the screen of the backups into a
// chat, [Panel.Tell] says what has happened.
//
// What it promises: whoever is not listed gets no answer. Nothing is destroyed by a tap
// that was meant for another state of things: a confirmation says what would be lost, is
// good for ten minutes, and only while what it said is still true. A long piece of work
// is one message that tells how far it is and, in the end, how it ended.
//
// It has no logic of its own about backups: package operation does the work, package job
// keeps it, package report shapes what is shown; package screen draws it.
//
// The ideas lie in files of their own: run.go and turns.go (fetching updates, and whose is
// handled when), handle.go (what is for the panel), admit.go and seen.go (who may, and how
// often), visit.go (an admin with a message), press.go (what a button asks for), look.go,
// begin.go and confirm.go (what it does), follow.go (work that is shown until it has
// ended), send.go and pieces.go (files), tell.go (news), state.go (what is remembered).
package panel

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"filippo.io/age"
	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// Core is what the panel works on, of one configuration.
type Core struct {
	Config     *config.Config
	Keeper     *keeper.Keeper
	Book       *report.Book
	Jobs       *job.Runner
	Operations *operation.Operations
	// Status judges how safe the data is, and counts what the sources hold.
	Status func(context.Context) (report.Status, error)
	// Standings are those of the programs in holdfast's care; nil: there are none.
	Standings func() []holdfast.Standing
	// Alarms are those that stand; nil: nobody judges.
	Alarms func() []alarm.Alarm
	// Next is when the next backup is due; nil, or zero: nobody knows.
	Next func() time.Time
}

// API is what the panel asks of Telegram: what it needs of a botapi.Client.
type API interface {
	Me(ctx context.Context) (*models.User, error)
	Send(ctx context.Context, p *bot.SendMessageParams) (*models.Message, error)
	Edit(ctx context.Context, p *bot.EditMessageTextParams) (*models.Message, error)
	Commands(ctx context.Context, chat int64, language string, commands []models.BotCommand) error
	Delete(ctx context.Context, chat any, message int) error
	Answer(ctx context.Context, p *bot.AnswerCallbackQueryParams) error
	SendDocument(ctx context.Context, chat any, d Document) (Sent, error)
	Updates(ctx context.Context, offset int64, timeout time.Duration) ([]models.Update, error)
}

// A Button leads back to where somebody came from.
type Button struct {
	// Text is its label, by language; English stands for those that are missing.
	Text map[string]string
	Data string // what is called back
}

// Options are what a panel is made of.
type Options struct {
	// Core gives that of the present configuration; it is asked anew by every update.
	Core   func() Core
	API    API
	Admins []int64 // the users who are listed
	// Language is spoken with whoever has not chosen one; empty: that of his Telegram.
	Language string
	// State is the directory in which the panel keeps what people chose; empty: nothing
	// is remembered over a restart.
	State string
	// Back leads to the menu of the bot that the panel is mounted in; nil: there is none.
	Back *Button
	// Commands tells that /start, /admin, /backup and /help are the panel's, and not those
	// of a bot that it is mounted in.
	Commands bool
	// Recipient is to whom files that are sent are encrypted where no encryption is
	// configured: to the passphrase that comes from the token of the bot.
	Recipient age.Recipient
	// Polled is told when fetching updates begins to fail, with why, and, with nil, when
	// it works again; nil: nobody is.
	Polled  func(error)
	Version string           // of the program
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil discards
	// Every is the least time between two edits that show progress; zero is 3 seconds.
	Every time.Duration
}

// A Panel is the admin panel of one bot. Its methods may be called side by side.
type Panel struct {
	o     Options
	log   *slog.Logger
	state *state
	gate  *gate
	seen  seen
	line  line
	// commanded tells that commands are the panel's.
	commanded atomic.Bool

	life context.Context //nolint:containedctx // of what goes on after an update was handled
	end  context.CancelFunc
	work sync.WaitGroup

	deciding   sync.Mutex // one confirmation at a time
	resumed    sync.Once
	mu         sync.Mutex
	name       string // of the bot
	followings []*following
	sendings   map[string]*sending
}

// New makes a panel. It sends nothing.
func New(o Options) (*Panel, error) {
	if o.Core == nil || o.API == nil {
		return nil, &holdfast.Error{Op: "telegram panel", Err: holdfast.Kindf(holdfast.ErrUsage, "it needs a core and a client of Telegram")}
	}
	if len(o.Admins) == 0 {
		return nil, &holdfast.Error{Op: "telegram panel", Err: holdfast.Kindf(holdfast.ErrUsage, "it needs at least one admin"), Hint: "list the ids of the users who may use it (telegram.admins, HOLDFAST_TELEGRAM_ADMINS)"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	p := &Panel{o: o, log: o.Logger, gate: newGate(o.Admins, o.Now), sendings: map[string]*sending{}}
	p.commanded.Store(o.Commands)
	p.life, p.end = context.WithCancel(context.Background())
	var err error
	if p.state, err = openState(o.State); err != nil {
		p.log.Warn("what the Telegram panel remembered cannot be read; it begins anew", keyError, err)
	}
	p.sweep()
	return p, nil
}

// Open draws the screen of the backups for a user into a message of a chat; 0: into a
// new one. Whoever is not listed is shown nothing.
func (p *Panel) Open(ctx context.Context, chat, user int64, message int) error {
	p.Resume()
	if !p.admitted(models.User{ID: user}) {
		return &holdfast.Error{Op: "telegram panel", Err: holdfast.Kindf(holdfast.ErrRefused, "this user is not listed"), Hint: "list the id of the user (telegram.admins, HOLDFAST_TELEGRAM_ADMINS)"}
	}
	v := p.visit(models.User{ID: user})
	v.chat, v.message = chat, message
	v.overview(ctx)
	return nil
}

// Close ends what the panel does by itself, and waits until it has ended or ctx has; the
// work of jobs goes on, and how they end is told after the next start.
func (p *Panel) Close(ctx context.Context) error {
	p.mu.Lock()
	p.end()
	p.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		p.work.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
