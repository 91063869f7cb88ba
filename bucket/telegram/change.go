package telegram

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/botapi"
)

// indexCaption tells whoever finds the message what it is.
const indexCaption = "holdfast: the index of the backups in this chat. Leave it here, and pinned."

// errNothing is how a change tells that there is nothing to write.
var errNothing = errors.New("nothing to change")

// change makes a new version of the index and puts it into the chat, in place of
// the one that is there now. It is the only way in which anything becomes true.
// After an error the old or the new version is there: nobody believes anything
// before the next look.
func (b *Bucket) change(ctx context.Context, l *lease, op func(*index) error) error {
	release, err := take(ctx, b.asking)
	if err != nil {
		return err
	}
	defer release()
	return b.changeSeen(ctx, l, op)
}

// changeSeen is change for whoever holds the token.
func (b *Bucket) changeSeen(ctx context.Context, l *lease, op func(*index) error) error {
	if l.isLost() {
		return bucket.ErrFenced
	}
	s, err := b.see(ctx, true)
	if err != nil {
		return err
	}
	if err := l.stillIn(s.idx); err != nil {
		return err
	}
	next, err := newIndex()
	if s.idx != nil {
		next, err = s.idx.clone(), nil
	}
	if err != nil {
		return err
	}
	err = op(next)
	if errors.Is(err, errNothing) {
		return nil
	}
	if err != nil {
		return err
	}
	settled := b.settle(next)
	sent := b.o.Now().UTC()
	next.Generation++
	next.Written = sent
	l.mark(next, sent)
	before := time.Now()
	if err := b.write(ctx, s, next); err != nil {
		b.keep(nil)
		return err
	}
	l.extend(before, sent)
	settled()
	return nil
}

// write puts a version of the index into the chat.
func (b *Bucket) write(ctx context.Context, s *seen, next *index) error {
	doc, err := b.document(next)
	if err != nil {
		return err
	}
	message := s.message
	var sent botapi.Sent
	if message != 0 {
		sent, err = b.o.Client.ReplaceDocument(ctx, b.chat, message, doc)
		if errors.Is(err, botapi.ErrNoMessage) || errors.Is(err, botapi.ErrFixedMessage) {
			// Gone since it was seen, or sent by a bot that is no longer this
			// one: what was just read of it is written elsewhere.
			b.warn("the index cannot be edited any more; it gets a new message", "message", message, "error", err)
			message = 0
		} else if err != nil {
			return err
		}
	}
	made := message == 0
	if made {
		if sent, err = b.o.Client.SendDocument(ctx, b.chat, doc); err != nil {
			return err
		}
		message = sent.Message
		if s.idx == nil {
			if err := b.first(ctx, message); err != nil {
				return err
			}
		}
		b.remember(message)
		b.mu.Lock()
		b.last = &seen{idx: next, message: message} // even if it cannot be pinned
		b.mu.Unlock()
	}
	now := &seen{idx: next, message: message, unique: sent.UniqueID, at: time.Now(), pinned: s.pinned && !made, foreign: s.foreign && !made}
	if !now.pinned && !now.foreign {
		err := b.o.Client.Pin(ctx, b.chat, message)
		if err != nil && b.o.Index != message {
			return unpinned(err, Options{Chat: b.o.Chat, Index: message})
		}
		now.pinned = err == nil
	}
	b.keep(now)
	return nil
}

// unpinned tells that an index could not be pinned. Where the bot is not allowed
// to, its number in the URL does as well.
func unpinned(err error, at Options) error {
	e := &holdfast.Error{Op: "pin", Object: "index", Err: err}
	if errors.Is(err, holdfast.ErrRefused) {
		e.Err = holdfast.Kindf(holdfast.ErrRefused, "%v", err) // whose hint is half of this one
		e.Hint = "allow the bot to pin messages in the chat; or name the index in the URL: " + at.String()
	}
	return e
}

// document encrypts an index.
func (b *Bucket) document(x *index) (botapi.Document, error) {
	clear, err := x.encode()
	if err != nil {
		return botapi.Document{}, err
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, b.o.Recipient)
	if err != nil {
		return botapi.Document{}, err
	}
	if _, err := w.Write(clear); err != nil {
		return botapi.Document{}, err
	}
	if err := w.Close(); err != nil {
		return botapi.Document{}, err
	}
	return botapi.Document{
		Name: indexName, Size: int64(out.Len()), Caption: indexCaption, Silent: true,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil },
	}, nil
}

// settle writes into an index what became of its free messages since the last
// version. The function it gives forgets that, once the index is in place.
func (b *Bucket) settle(x *index) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.spare {
		if !x.owns(s.Message) {
			x.Slots = append(x.Slots, s)
		}
	}
	told := maps.Clone(b.freed)
	x.Slots = slices.DeleteFunc(x.Slots, func(s slot) bool { return told[s.Message] })
	for i, s := range x.Slots {
		if _, empty := told[s.Message]; empty {
			x.Slots[i] = slot{Message: s.Message, Sent: s.Sent}
		}
	}
	sent := len(b.spare)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.spare = b.spare[sent:]
		for message := range told {
			if _, still := b.freed[message]; still { // not taken for another piece meanwhile
				delete(b.freed, message)
				delete(b.reserved, message)
			}
		}
	}
}

// owns tells whether a message is known here.
func (x *index) owns(message int) bool {
	if slices.ContainsFunc(x.Slots, func(s slot) bool { return s.Message == message }) {
		return true
	}
	for _, p := range x.Packs {
		if slices.ContainsFunc(p.Pieces, func(at piece) bool { return at.Message == message }) {
			return true
		}
	}
	return false
}
