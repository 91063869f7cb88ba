package alarm

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// Options are what a board works with.
type Options struct {
	// File keeps the alarms over restarts; empty: only the process does.
	File   string
	Sender Sender        // nil: nobody is told
	Repeat time.Duration // between reminders of what goes on; zero is a day
	On     []string      // the kinds that are told; nil: all
	// Repository is its location as people are shown it; it is in the messages.
	Repository string
	Host       string           // in messages; empty: that of the system
	Secrets    []string         // that no text may hold
	Now        func() time.Time // nil is time.Now
	Logger     *slog.Logger     // nil discards
	FS         durable.FS       // nil is the real file system
}

// OptionsFor gives the options that a configuration decides about by itself.
func OptionsFor(c *config.Config) Options {
	urls := append(slices.Clone(c.Notify.URLs), c.Webhooks.URLs...)
	urls = append(urls, c.Ping.URL, c.Ping.Start, c.Ping.Success, c.Ping.Fail)
	return Options{
		Repeat: c.Notify.Repeat, On: c.Notify.On, Secrets: append(redact.Secrets(urls...), c.Webhooks.Secret),
	}
}

// A Board remembers what is wrong and decides what is told. It is safe for use by
// several goroutines.
type Board struct {
	o Options

	turn    sync.Mutex // one Update at a time; it guards what follows
	saved   []byte     // what the file holds
	unsaved bool       // it could not be written, which was told
	letters []*letter  // in the order in which they were written

	mu      sync.Mutex
	entries []*entry // in the order in which they began
	lost    bool     // the record of what was told was lost
}

// New makes a board of what its file holds. A file that cannot be understood is
// begun anew, with a warning; one that cannot be written is an error.
func New(o Options) (*Board, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Repeat <= 0 {
		o.Repeat = 24 * time.Hour
	}
	o.Repeat = max(o.Repeat, quietTime)
	if o.FS == nil {
		o.FS = durable.OS
	}
	if o.Host == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, &holdfast.Error{Op: "alarms", Err: err}
		}
		o.Host = host
	}
	b := &Board{o: o}
	if err := b.load(); err != nil {
		return nil, err
	}
	return b, nil
}

// Standing gives the alarms that stand, those that are told or not, in the order
// in which they began.
func (b *Board) Standing() []Alarm {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := []Alarm{}
	for _, e := range b.entries {
		if e.Stands {
			all = append(all, e.Alarm)
		}
	}
	slices.SortStableFunc(all, func(x, y Alarm) int { return x.Since.Compare(y.Since.Time) })
	return all
}

// Update takes what is wrong now, and tells what is due, and those who could not be told
// before. It takes no longer than the sender does. What cannot be told or kept is in the log.
func (b *Board) Update(ctx context.Context, conditions []Condition) {
	b.turn.Lock()
	defer b.turn.Unlock()
	now := holdfast.At(b.o.Now())
	b.mu.Lock()
	b.take(conditions, now)
	due := b.due(now)
	text := b.compose(due, now)
	for _, e := range due.all() {
		// Kept before it is sent: a process that is killed meanwhile, again and
		// again, does not tell the same each time.
		e.trying(now)
	}
	b.mu.Unlock()
	b.post(ctx, now)
	b.save()
	if len(due.all()) == 0 || !b.send(ctx, text, now) {
		return
	}
	b.mu.Lock()
	for _, e := range due.all() {
		e.told(now)
	}
	b.lost = false
	b.mu.Unlock()
	b.save()
}

// take brings the entries up to what is wrong now.
func (b *Board) take(conditions []Condition, now holdfast.Time) {
	present := map[*entry]bool{}
	unknown := map[string]bool{}
	for _, c := range conditions {
		if c.Unknown {
			unknown[c.Kind] = true
			continue
		}
		i := slices.IndexFunc(b.entries, func(e *entry) bool { return e.Alarm.Kind == c.Kind && e.Alarm.Object == c.Object })
		if i < 0 {
			b.entries = append(b.entries, &entry{Alarm: Alarm{Kind: c.Kind, Object: c.Object}})
			i = len(b.entries) - 1
		}
		e := b.entries[i]
		if present[e] {
			continue // said twice: the first holds, which is the worse
		}
		present[e] = true
		c.Message, c.Hint = b.tidy(c.Message), b.tidy(c.Hint)
		e.appear(c, now)
	}
	for _, e := range b.entries {
		switch {
		case present[e]:
		case unknown[e.Alarm.Kind]:
			e.mend(now)
		default:
			e.vanish(now)
		}
	}
	b.entries = slices.DeleteFunc(b.entries, func(e *entry) bool { return e.over(now, b.tells(e)) })
}

// tells whether anybody is to be told of an entry.
func (b *Board) tells(e *entry) bool {
	return b.o.Sender != nil && (len(b.o.On) == 0 || slices.Contains(b.o.On, e.Alarm.Kind))
}

// send delivers, and tells whether anybody got it.
func (b *Board) send(ctx context.Context, m Message, now holdfast.Time) bool {
	all := b.o.Sender.Send(ctx, m)
	err := errors.Join(all...)
	reached := slices.Contains(all, nil)
	switch {
	case err == nil:
	case reached:
		b.keep(m, all, now)
		b.o.Logger.Warn("an alarm could not be told everywhere; the others are told later", "error", err)
	default:
		b.o.Logger.Error("an alarm could be told nowhere; it is tried again", "error", err)
	}
	return reached
}
