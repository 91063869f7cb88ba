package telegram

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/botapi"
)

// errCut is how a request fails that was cut.
var errCut = errors.New("the connection was cut")

// window is how long a message can be deleted.
const window = 48 * time.Hour

// chat is a chat in memory, as a bot sees it.
type chat struct {
	mu       sync.Mutex
	now      time.Time
	next     int
	messages map[int]*message
	pins     []int
	files    map[string][]byte // those of messages as they are now: nothing is promised of others
	requests int
	log      []string
	// fail is asked for each request that changes something: 0 lets it be,
	// -1 cuts it before it took effect, 1 after.
	fail func(n int, what string) int
	// refuse gives the answer to a request that has no effect; nil lets it be.
	refuse func(what string) error
	// meanwhile is what somebody else does before a request reaches the chat.
	meanwhile func(what string)
}

type message struct {
	id        int
	name      string
	file      string
	date      time.Time
	edited    time.Time
	foreign   bool // of somebody else
	permanent bool // cannot be edited by this bot
	again     bool // a forward
}

func newChat() *chat {
	return &chat{now: time.Now().Truncate(time.Second), next: 100, messages: map[int]*message{}, files: map[string][]byte{}}
}

// do carries out a request.
func (c *chat) do(ctx context.Context, what string, effect func() error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.meanwhile != nil {
		c.meanwhile(what)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.requests
	c.requests++
	c.log = append(c.log, what)
	verdict := 0
	if c.fail != nil {
		verdict = c.fail(n, what)
	}
	if verdict < 0 {
		return errCut
	}
	if c.refuse != nil {
		if err := c.refuse(what); err != nil {
			return err
		}
	}
	err := effect()
	if verdict > 0 {
		return errCut
	}
	return err
}

func (c *chat) store(d botapi.Document) (file string, err error) {
	if d.Size > 50_000_000 {
		return "", errors.New("too large to be sent")
	}
	r, err := d.Open()
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return "", err
	}
	if int64(len(data)) != d.Size {
		return "", fmt.Errorf("%d bytes of %d", len(data), d.Size)
	}
	c.next++
	file = fmt.Sprintf("file-%d", c.next)
	c.files[file] = data
	return file, nil
}

func (m *message) sent() botapi.Sent {
	return botapi.Sent{Message: m.id, FileID: m.file, UniqueID: "u" + m.file, Date: m.date}
}

func (m *message) model() *models.Message {
	out := &models.Message{ID: m.id, Date: int(m.date.Unix())}
	if !m.edited.IsZero() {
		out.EditDate = int(m.edited.Unix())
	}
	if m.file != "" {
		out.Document = &models.Document{FileID: m.file, FileUniqueID: "u" + m.file, FileName: m.name}
	}
	return out
}

func (c *chat) Chat(ctx context.Context, _ any) (info *models.ChatFullInfo, err error) {
	err = c.do(ctx, "getChat", func() error {
		info = &models.ChatFullInfo{}
		newest := 0
		for _, id := range c.pins {
			if c.messages[id] != nil {
				newest = max(newest, id)
			}
		}
		if newest != 0 {
			info.PinnedMessage = c.messages[newest].model()
		}
		return nil
	})
	return info, err
}

func (c *chat) Download(ctx context.Context, file string) (body io.ReadCloser, err error) {
	err = c.do(ctx, "download", func() error {
		data, ok := c.files[file]
		if !ok {
			return holdfast.Kindf(holdfast.ErrNotFound, "no such file")
		}
		if len(data) > 20_000_000 {
			return holdfast.Kindf(holdfast.ErrRefused, "too large to be fetched")
		}
		body = io.NopCloser(bytes.NewReader(data))
		return nil
	})
	return body, err
}

func (c *chat) SendDocument(ctx context.Context, _ any, d botapi.Document) (sent botapi.Sent, err error) {
	err = c.do(ctx, "send "+d.Name, func() error {
		file, err := c.store(d)
		if err != nil {
			return err
		}
		c.next++
		m := &message{id: c.next, name: d.Name, file: file, date: c.now}
		c.messages[m.id] = m
		sent = m.sent()
		return nil
	})
	return sent, err
}

func (c *chat) ReplaceDocument(ctx context.Context, _ any, id int, d botapi.Document) (sent botapi.Sent, err error) {
	err = c.do(ctx, "edit "+d.Name, func() error {
		m := c.messages[id]
		switch {
		case m == nil:
			return holdfast.Kindf(botapi.ErrNoMessage, "message to edit not found")
		case m.foreign || m.permanent:
			return holdfast.Kindf(botapi.ErrFixedMessage, "message can't be edited")
		}
		file, err := c.store(d)
		if err != nil {
			return err
		}
		delete(c.files, m.file)
		m.name, m.file, m.edited = d.Name, file, c.now
		sent = m.sent()
		return nil
	})
	return sent, err
}

func (c *chat) Delete(ctx context.Context, _ any, id int) error {
	return c.do(ctx, "delete", func() error {
		m := c.messages[id]
		switch {
		case m == nil:
			return holdfast.Kindf(botapi.ErrNoMessage, "message to delete not found")
		case c.now.Sub(m.date) > window:
			return holdfast.Kindf(botapi.ErrFixedMessage, "message can't be deleted")
		}
		delete(c.messages, id)
		if !m.again {
			delete(c.files, m.file)
		}
		return nil
	})
}

func (c *chat) Forward(ctx context.Context, _, _ any, id int) (out *models.Message, err error) {
	err = c.do(ctx, "forward", func() error {
		m := c.messages[id]
		if m == nil {
			return holdfast.Kindf(botapi.ErrNoMessage, "message to forward not found")
		}
		c.next++
		again := &message{id: c.next, name: m.name, file: m.file, date: c.now, again: true}
		c.messages[again.id] = again
		out = again.model()
		return nil
	})
	return out, err
}

func (c *chat) Pin(ctx context.Context, _ any, id int) error {
	return c.do(ctx, "pin", func() error {
		c.pins = append(c.pins, id)
		return nil
	})
}

// foreignPin pins a message of somebody else, newer than all.
func (c *chat) foreignPin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	c.messages[c.next] = &message{id: c.next, date: c.now, foreign: true}
	c.pins = append(c.pins, c.next)
}

// copy gives a chat that goes its own way from here.
func (c *chat) copy() *chat {
	n := &chat{now: c.now, next: c.next, messages: map[int]*message{}, pins: slices.Clone(c.pins), files: maps.Clone(c.files)}
	for id, m := range c.messages {
		again := *m
		n.messages[id] = &again
	}
	return n
}

// count counts the messages whose document has this name.
func (c *chat) count(name string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.messages {
		if m.name == name {
			n++
		}
	}
	return n
}

// times counts the requests since a mark that begin with what.
func (c *chat) times(since int, what string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.log[since:] {
		if strings.HasPrefix(r, what) {
			n++
		}
	}
	return n
}

func (c *chat) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *chat) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// keyOf makes the keys of a token, cheap enough for tests.
func keyOf(t *testing.T, token string) (age.Recipient, age.Identity) {
	t.Helper()
	r, err := age.NewScryptRecipient("token " + token)
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(1)
	id, err := age.NewScryptIdentity("token " + token)
	if err != nil {
		t.Fatal(err)
	}
	return r, id
}

// options are those of a bucket in this chat, with small pieces.
func (c *chat) options(t *testing.T) Options {
	t.Helper()
	r, id := keyOf(t, "one")
	return Options{
		Chat: "42", Client: c, Recipient: r, Identities: []age.Identity{id},
		State: filepath.Join(t.TempDir(), "state"), Spool: t.TempDir(),
		Settle: -1, Now: c.clock, piece: 100_000, large: 150_000, cache: 250_000,
	}
}

// stateless are the options of a machine that remembers nothing.
func (c *chat) stateless(t *testing.T) Options {
	t.Helper()
	o := c.options(t)
	o.State = ""
	return o
}

func open(t *testing.T, o Options) *Bucket {
	t.Helper()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// undeletable is a chat whose messages were sent long ago.
type undeletable struct{ *chat }

func (u undeletable) SendDocument(ctx context.Context, to any, d botapi.Document) (botapi.Sent, error) {
	sent, err := u.chat.SendDocument(ctx, to, d)
	u.mu.Lock()
	defer u.mu.Unlock()
	if m := u.messages[sent.Message]; m != nil && !isIndex(m.model()) {
		m.date = m.date.Add(-2 * window)
	}
	return sent, err
}
