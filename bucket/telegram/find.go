package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/botapi"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// indexName is how the document is called by which the index is recognised.
const indexName = "holdfast-index.age"

// seen is what a look into the chat found.
type seen struct {
	idx     *index // nil: there is none
	message int
	unique  string          // of the document: another for each version
	at      time.Time       // of the look
	stamp   time.Time       // when Telegram took this version; zero if nobody tells
	pinned  bool            // it is the newest pinned message
	foreign bool            // another message is
	rival   *models.Message // the newest pinned message, if that is another index
}

// look gives what the chat holds. Readers may be given what was seen a moment
// ago; whoever is about to change something must not.
func (b *Bucket) look(ctx context.Context, must bool) (*seen, error) {
	release, err := take(ctx, b.asking)
	if err != nil {
		return nil, err
	}
	defer release()
	return b.see(ctx, must)
}

// see is look for whoever holds the token.
func (b *Bucket) see(ctx context.Context, must bool) (*seen, error) {
	b.mu.Lock()
	s, l := b.seen, b.lease
	b.mu.Unlock()
	if s != nil && b.believed(s, l, must) {
		return s, nil
	}
	for before := ""; ; {
		found, unique, err := b.seeNow(ctx, s)
		if err == nil {
			b.keep(found)
			return found, nil
		}
		// Between the look and the download another version may have come.
		if unique == before || ctx.Err() != nil || !unreadable(err) {
			return nil, err
		}
		before = unique
	}
}

// seeNow asks the chat. Of an index that cannot be read it tells which version
// it was; what was seen before need not be read again.
func (b *Bucket) seeNow(ctx context.Context, s *seen) (found *seen, unique string, err error) {
	info, err := b.o.Client.Chat(ctx, b.chat)
	if err != nil {
		return nil, "", err
	}
	now := time.Now()
	doc, found, err := b.find(ctx, info.PinnedMessage)
	if err != nil {
		return nil, "", err
	}
	found.at = now
	if doc == nil {
		return found, "", nil
	}
	found.unique = doc.FileUniqueID
	if s != nil && s.idx != nil && s.message == found.message && s.unique == found.unique && found.unique != "" {
		found.idx = s.idx
	} else {
		found.idx, err = insist(ctx, func() (*index, error) { return b.fetch(ctx, doc, found.message) })
		if err != nil {
			return nil, found.unique, err
		}
	}
	if found.rival != nil {
		if found, err = b.choose(ctx, found); err != nil {
			return nil, "", err
		}
	}
	b.remember(found.message)
	return found, "", nil
}

// believed tells whether what was seen is as good as another look. While the
// lease is ours nobody else changes the index. Where only a forward shows it,
// which is a message, not every change is preceded by one.
func (b *Bucket) believed(s *seen, l *lease, must bool) bool {
	age := time.Since(s.at)
	if !must {
		return l.valid() || age < fresh
	}
	return s.foreign && l.valid() && age < b.o.LeaseTTL/6
}

// keep remembers what was seen; nil is that nobody knows.
func (b *Bucket) keep(s *seen) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen = s; s != nil {
		b.last = s
	}
}

// find tells which message is the index and gives its document: none if there
// is no index. It never takes a chat for empty that may have one.
func (b *Bucket) find(ctx context.Context, pinned *models.Message) (*models.Document, *seen, error) {
	known, where := b.known()
	switch {
	case pinned != nil && isIndex(pinned) && (known == 0 || known == pinned.ID):
		return pinned.Document, &seen{message: pinned.ID, stamp: stamp(pinned), pinned: true}, nil
	case known == 0 && pinned == nil:
		return nil, &seen{}, nil
	case known == 0:
		return nil, nil, &holdfast.Error{
			Op: "find", Object: "index", Err: holdfast.Kindf(holdfast.ErrRefused, "message %d is pinned in the chat, and it is no index: there may be one behind it", pinned.ID),
			Hint: "unpin that message; or name the index: " + Options{Chat: b.o.Chat}.String() + "?index=MESSAGE",
		}
	}
	doc, err := b.forwarded(ctx, known)
	switch {
	case errors.Is(err, botapi.ErrNoMessage) && pinned != nil && isIndex(pinned):
		b.warn("the index that was known is gone; another is pinned, and taken", "message", known, "pinned", pinned.ID)
		return pinned.Document, &seen{message: pinned.ID, stamp: stamp(pinned), pinned: true}, nil
	case errors.Is(err, botapi.ErrNoMessage):
		return nil, nil, &holdfast.Error{
			Op: "find", Object: "index", Err: holdfast.Kindf(holdfast.ErrDamaged, "message %d was the index of this chat and is gone: what it named cannot be found any more", known),
			Hint: "to begin anew, forget its number: " + where,
		}
	case err != nil:
		return nil, nil, err
	}
	s := &seen{message: known, foreign: pinned != nil}
	switch {
	case pinned == nil:
	case isIndex(pinned) && !b.outdone(pinned):
		s.rival = pinned
	default:
		b.warn("another message was pinned in the chat: the index is found by its number only; write that into the URL, as ?index=MESSAGE", "index", known, "pinned", pinned.ID)
	}
	return doc, s, nil
}

// forwarded gives the document of a message: a forward shows what it holds now.
func (b *Bucket) forwarded(ctx context.Context, message int) (*models.Document, error) {
	m, err := b.o.Client.Forward(ctx, b.chat, b.chat, message)
	if err != nil {
		return nil, err
	}
	b.withdraw(ctx, m.ID, "a forward that showed a message could not be deleted")
	if m.Document == nil {
		return nil, holdfast.Kindf(holdfast.ErrDamaged, "message %d holds no document", message)
	}
	return m.Document, nil
}

// withdraw deletes a message of ours that nobody needs; otherwise tells what it means if
// it stays.
func (b *Bucket) withdraw(ctx context.Context, message int, otherwise string) {
	if err := b.o.Client.Delete(context.WithoutCancel(ctx), b.chat, message); err != nil && !errors.Is(err, botapi.ErrNoMessage) {
		b.warn(otherwise, "message", message, "error", err)
	}
}

func isIndex(m *models.Message) bool { return m.Document != nil && m.Document.FileName == indexName }

// stamp is when Telegram took a message as it is.
func stamp(m *models.Message) time.Time {
	if at := max(m.EditDate, m.Date); at > 0 {
		return time.Unix(int64(at), 0)
	}
	return time.Time{}
}

// fetch reads an index.
func (b *Bucket) fetch(ctx context.Context, doc *models.Document, message int) (*index, error) {
	fail := func(err error) (*index, error) {
		return nil, &holdfast.Error{Op: "read", Object: fmt.Sprintf("index in message %d", message), Err: err}
	}
	body, err := b.o.Client.Download(ctx, doc.FileID)
	if err != nil {
		return fail(err)
	}
	defer body.Close()
	read := &counting{r: io.LimitReader(body, maxPiece)}
	clear, err := age.Decrypt(read, b.o.Identities...)
	if no, ok := errors.AsType[*age.NoIdentityMatchError](err); ok && no != nil {
		return nil, &holdfast.Error{
			Op: "read", Object: fmt.Sprintf("index in message %d", message),
			Err:  holdfast.Kindf(holdfast.ErrRefused, "it is encrypted by another token than the bot's"),
			Hint: "if the bot got a new token, name the one before: telegram.former_token (HOLDFAST_TELEGRAM_FORMER_TOKEN)",
		}
	}
	if err != nil {
		err = damaged(err)
	}
	var x *index
	if err == nil {
		x, err = decode(clear)
	}
	switch {
	case err == nil:
		return x, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case read.err != nil:
		return fail(fmt.Errorf("%w: %w", errBroken, read.err))
	}
	return fail(err)
}

// known tells which message is the index as far as is known without asking, and
// how that is forgotten.
func (b *Bucket) known() (int, string) {
	if n := b.remembered(); n != 0 {
		return n, "remove the file " + b.memory()
	}
	if b.o.Index != 0 {
		return b.o.Index, "take index= out of the URL"
	}
	return 0, ""
}

// memory is the file in which this machine remembers; "" if it does not.
func (b *Bucket) memory() string {
	if b.o.State == "" {
		return ""
	}
	return filepath.Join(b.o.State, "telegram-"+strings.TrimPrefix(b.o.Chat, "@")+".json")
}

type memory struct {
	Chat  string `json:"chat"`
	Index int    `json:"index"`
}

// remembered gives the message that this process or this machine knows.
func (b *Bucket) remembered() int {
	b.mu.Lock()
	last := b.last
	b.mu.Unlock()
	if last != nil && last.message != 0 {
		return last.message
	}
	data, err := os.ReadFile(b.memory())
	if b.memory() == "" || errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	var m memory
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil || m.Chat != b.o.Chat {
		b.warn("what this machine remembers of the chat cannot be read; the pinned message tells", "file", b.memory())
		return 0
	}
	return m.Index
}

// remember notes which message is the index. That it cannot be noted is told,
// and costs nothing while it is pinned.
func (b *Bucket) remember(message int) {
	b.mu.Lock()
	last := b.last
	b.mu.Unlock()
	file := b.memory()
	if file == "" || last != nil && last.message == message {
		return
	}
	data, err := json.Marshal(memory{b.o.Chat, message})
	if err == nil {
		err = durable.MkdirAll(durable.OS, b.o.State, 0o700)
	}
	if err == nil {
		err = durable.WriteFile(durable.OS, file, append(data, '\n'), 0o600)
	}
	if err != nil {
		b.warn("the number of the index cannot be remembered on this machine", "message", message, "error", err)
	}
}
