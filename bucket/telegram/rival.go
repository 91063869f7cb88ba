package telegram

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
)

// nothing tells whether an index could be left behind without a loss.
func (x *index) nothing() bool {
	return len(x.Objects) == 0 && len(x.Packs) == 0 && len(x.Slots) == 0
}

// choose decides between the index that is known by its number and another one, which
// is pinned: it is the same one in a new message, where the old one could not be
// edited; or another machine began one in the same moment; or somebody pinned a copy.
func (b *Bucket) choose(ctx context.Context, s *seen) (*seen, error) {
	doc := s.rival.Document
	theirs, err := insist(ctx, func() (*index, error) { return b.fetch(ctx, doc, s.rival.ID) })
	known := func() (*seen, error) {
		b.mu.Lock()
		b.worse = doc.FileUniqueID
		b.mu.Unlock()
		s.rival = nil
		return s, nil
	}
	pinned := &seen{idx: theirs, message: s.rival.ID, unique: doc.FileUniqueID, at: s.at, stamp: stamp(s.rival), pinned: true}
	switch {
	case errors.Is(err, holdfast.ErrRefused), errors.Is(err, holdfast.ErrDamaged):
		b.warn("a document is pinned that looks like an index and cannot be read: the index is found by its number only", "index", s.message, "pinned", s.rival.ID, "error", err)
		return known()
	case err != nil:
		return nil, err
	case theirs.Key == s.idx.Key && theirs.Generation > s.idx.Generation:
		b.warn("the index has another message now", "before", s.message, "now", s.rival.ID)
		return pinned, nil
	case theirs.Key == s.idx.Key, b.o.Index == s.message:
		b.warn("another index is pinned in the chat: the one with this number is used; unpin the other", "index", s.message, "pinned", s.rival.ID)
		return known()
	case s.idx.nothing():
		// Both began at once, and the newer message is the one that everybody finds.
		b.withdraw(ctx, s.message, unwanted)
		return pinned, nil
	case theirs.nothing():
		return known()
	}
	return nil, &holdfast.Error{
		Op: "find", Object: "index",
		Err:  holdfast.Kindf(holdfast.ErrRefused, "the chat has two indexes that both name something: message %d, which this machine knows, and message %d, which is pinned", s.message, s.rival.ID),
		Hint: "delete the message of the one that is not wanted; or name one in the URL of every machine: " + Options{Chat: b.o.Chat, Index: s.message}.String(),
	}
}

// outdone tells whether a pinned index, as it is, was read already and is not the one.
func (b *Bucket) outdone(pinned *models.Message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return pinned.Document.FileUniqueID != "" && pinned.Document.FileUniqueID == b.worse
}

// unwanted is said of an index that holds nothing and stays all the same.
const unwanted = "an index that holds nothing could not be deleted"

// errOvertaken is that another machine pinned an index while this one began its own.
var errOvertaken = holdfast.Kindf(holdfast.ErrLocked, "another machine began an index in this chat at the same moment; try again")

// first tells whether an index that was just sent, and is not pinned yet, is the only
// one: else it is taken back.
func (b *Bucket) first(ctx context.Context, message int) error {
	info, err := b.o.Client.Chat(ctx, b.chat)
	if err == nil && info.PinnedMessage != nil && isIndex(info.PinnedMessage) && info.PinnedMessage.ID != message {
		err = errOvertaken
	}
	if err != nil {
		b.withdraw(ctx, message, unwanted)
		return fmt.Errorf("look for another index: %w", err)
	}
	return nil
}
