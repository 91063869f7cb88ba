package alarm

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A message that reached some services and not others must reach the others too once
// they can be told again: perhaps each has a reader of its own. Until then it is kept for
// them as a letter.

// mostLetters bounds what is kept for all of them; the oldest go first.
const mostLetters = 100

// A letter is a message that a service has not got.
type letter struct {
	Service string        `json:"service"` // by its name
	Title   string        `json:"title"`
	Text    string        `json:"text"`
	News    []News        `json:"news,omitempty"`
	Written holdfast.Time `json:"written"`
	TriedAt holdfast.Time `json:"tried_at"`
	Tries   int           `json:"tries"`
}

// A postman is a Sender that knows its services apart.
type postman interface {
	Sender
	// Names gives the services, in the order in which Send tells them.
	Names() []string
	// SendTo tells one of them.
	SendTo(ctx context.Context, service string, m Message) error
}

// keep notes who has not got a message that others have.
func (b *Board) keep(m Message, errs []error, now holdfast.Time) {
	p, ok := b.o.Sender.(postman)
	if !ok {
		return
	}
	names := p.Names()
	for i, err := range errs {
		if err != nil && i < len(names) {
			b.letters = append(b.letters, &letter{Service: names[i], Title: m.Title, Text: m.Text, News: m.News, Written: now, TriedAt: now, Tries: 1})
		}
	}
	if more := len(b.letters) - mostLetters; more > 0 {
		b.o.Logger.Error("what a service could not be told of alarms is given up", "letters", more)
		b.letters = slices.Delete(b.letters, 0, more)
	}
}

// post delivers the letters that are due, those of each service in their order. Only
// Update comes here.
func (b *Board) post(ctx context.Context, now holdfast.Time) {
	p, ok := b.o.Sender.(postman)
	b.letters = slices.DeleteFunc(b.letters, func(l *letter) bool {
		return !ok || now.Sub(l.Written.Time) > forget || !slices.Contains(p.Names(), l.Service)
	})
	var waits []string // services of which an earlier letter was not delivered
	var errs []error
	b.letters = slices.DeleteFunc(b.letters, func(l *letter) (delivered bool) {
		if slices.Contains(waits, l.Service) {
			return false
		}
		if !l.due(now) {
			waits = append(waits, l.Service)
			return false
		}
		err := p.SendTo(ctx, l.Service, Message{Title: l.Title, Text: "This was to be told at " + moment(l.Written) + ".\n\n" + l.Text, News: l.News, Written: &l.Written})
		if err != nil {
			l.TriedAt, l.Tries = now, l.Tries+1
			waits, errs = append(waits, l.Service), append(errs, err)
		}
		return err == nil
	})
	if err := errors.Join(errs...); err != nil {
		b.o.Logger.Warn("a service can still not be told of an alarm", "error", err)
	}
}

// due tells whether it is to be tried again.
func (l *letter) due(now holdfast.Time) bool {
	for _, t := range []*holdfast.Time{&l.Written, &l.TriedAt} { // a clock that was set back
		if t.After(now.Time) {
			*t = now
		}
	}
	return now.Sub(l.TriedAt.Time) >= min(firstRetry<<min(l.Tries-1, 10), mostLetterRetry)
}

// mostLetterRetry is how long a letter rests at most: what could be told again is not to
// wait long.
const mostLetterRetry = 15 * time.Minute
