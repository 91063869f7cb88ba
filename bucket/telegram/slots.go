package telegram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/botapi"
)

const (
	pieceName = "holdfast-piece.age"
	slotName  = "holdfast-free.txt"
	slotText  = "This message is free: the next backup may use it again. It can be deleted.\n"
)

// emptyDocument is what a free message holds.
func emptyDocument() botapi.Document {
	return botapi.Document{Name: slotName, Size: int64(len(slotText)), Silent: true, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(slotText)), nil
	}}
}

// reserve keeps a message of the index for one use, unless it has one or
// somebody reads it.
func (b *Bucket) reserve(message int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, freed := b.freed[message]; freed || b.reserved[message] || b.reading[message] > 0 {
		return false
	}
	b.reserved[message] = true
	return true
}

// reuse keeps a message that was emptied since the index was written.
func (b *Bucket) reuse(message int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	gone, freed := b.freed[message]
	if !freed || gone {
		return false
	}
	delete(b.freed, message) // it stays reserved
	return true
}

func (b *Bucket) unreserve(messages ...int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range messages {
		delete(b.reserved, m)
	}
}

// waits tells whether a further attempt may want what a slot holds.
func (s slot) waits(now time.Time) bool { return s.Piece != nil && s.Until.After(now) }

// slots gives n messages to be filled, reserved: free ones if that is wanted, and
// new ones if there are not enough. A message is known to the index, as one that may hold
// bytes, before it does: so that no large document is ever without an owner,
// whatever is cut.
func (b *Bucket) slots(ctx context.Context, l *lease, n int, used bool) (got []slot, err error) {
	defer func() {
		if err != nil {
			for _, s := range got {
				b.unreserve(s.Message)
			}
		}
	}()
	s, err := b.look(ctx, true)
	if err != nil {
		return nil, err
	}
	if s.idx != nil && used {
		got = b.usable(s.idx, n)
	}
	for len(got) < n {
		if err := l.check(ctx); err != nil {
			return got, err
		}
		sent, err := b.o.Client.SendDocument(ctx, b.chat, emptyDocument())
		if err != nil {
			return got, err
		}
		fresh := slot{Message: sent.Message, Sent: sent.Date}
		b.mu.Lock()
		b.spare = append(b.spare, fresh)
		b.reserved[fresh.Message] = true
		b.mu.Unlock()
		got = append(got, fresh)
	}
	return got, b.change(ctx, l, func(x *index) error {
		for _, at := range got {
			full := slot{Message: at.Message, Sent: at.Sent, Full: true}
			switch i := x.slot(at.Message); {
			case i >= 0:
				x.Slots[i] = full
			case x.owns(at.Message):
				return errTurned
			default:
				x.Slots = append(x.Slots, full)
			}
		}
		return nil
	})
}

// usable reserves up to n free messages, empty ones first.
func (b *Bucket) usable(x *index, n int) (got []slot) {
	now := b.o.Now()
	for _, full := range []bool{false, true} {
		for _, at := range x.Slots {
			if len(got) < n && (b.reuse(at.Message) || at.Full == full && !at.waits(now) && b.reserve(at.Message)) {
				got = append(got, at)
			}
		}
	}
	return got
}

// slot finds a free message; -1 if it is none.
func (x *index) slot(message int) int {
	return slices.IndexFunc(x.Slots, func(s slot) bool { return s.Message == message })
}

// free deletes the messages that hold nothing that counts, or empties those that
// may not be deleted any more. It gives their numbers. The next version of the
// index tells of it; until then it may be tried again.
func (b *Bucket) free(ctx context.Context, l *lease) (freed []int, err error) {
	if err := l.check(ctx); err != nil {
		return nil, err
	}
	s, err := b.look(ctx, false)
	if err != nil || s.idx == nil {
		return nil, err
	}
	now := b.o.Now()
	for _, at := range s.idx.Slots {
		if !at.Full || at.waits(now) || !b.reserve(at.Message) {
			continue
		}
		gone, verr := b.vacate(ctx, at.Message)
		if verr != nil {
			b.unreserve(at.Message)
			if err = verr; errors.Is(err, botapi.ErrFixedMessage) {
				continue // the others may do
			}
			return freed, err
		}
		b.mu.Lock()
		b.freed[at.Message] = gone
		b.mu.Unlock()
		freed = append(freed, at.Message)
	}
	return freed, err
}

// vacate frees one message and tells whether it is gone. Only what can never be
// freed is forgotten: whoever may not delete now may be allowed to later.
func (b *Bucket) vacate(ctx context.Context, message int) (gone bool, err error) {
	refused := b.o.Client.Delete(ctx, b.chat, message)
	if refused == nil || errors.Is(refused, botapi.ErrNoMessage) {
		return true, nil
	}
	if !errors.Is(refused, holdfast.ErrRefused) {
		return false, refused
	}
	_, err = b.o.Client.ReplaceDocument(ctx, b.chat, message, emptyDocument())
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, botapi.ErrNoMessage):
		return true, nil
	case errors.Is(err, botapi.ErrFixedMessage) && errors.Is(refused, botapi.ErrFixedMessage):
		b.warn("a message can neither be deleted nor emptied: it stays, and is forgotten", "message", message, "error", err)
		return true, nil
	}
	return false, fmt.Errorf("message %d: %w; nor can it be emptied: %w", message, refused, err)
}

// tidy frees messages after a change. That it fails harms nothing: Clean does it
// again.
func (b *Bucket) tidy(ctx context.Context, l *lease) {
	if _, err := b.free(ctx, l); err != nil && ctx.Err() == nil {
		b.o.Logger.Warn("messages that are not needed any more could not be freed; the next run frees them", "replica", b.Location(), "error", err)
	}
}
