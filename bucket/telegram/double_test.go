package telegram_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/buckettest"
	"github.com/holdfast-backup/holdfast/bucket/telegram"
	"github.com/holdfast-backup/holdfast/internal/botapi"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// admin is the person in whose chat the copies lie.
const admin = 4242

// clock is the time of Telegram and of a machine.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newClock() *clock { return &clock{now: time.Now().Truncate(time.Second)} }

// options are those of a bucket over the double, with a client that waits for
// nothing.
func options(t *testing.T, s *telegramtest.Server, c *clock) telegram.Options {
	t.Helper()
	client, err := botapi.New(botapi.Options{
		Token: s.Token, API: s.URL, Now: c.time, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := botapi.Recipient(s.Token)
	if err != nil {
		t.Fatal(err)
	}
	id, err := botapi.Identity(s.Token)
	if err != nil {
		t.Fatal(err)
	}
	return telegram.Options{Chat: "4242", Client: client, Recipient: r, Identities: []age.Identity{id}, Spool: t.TempDir(), Settle: -1, Now: c.time}
}

func over(t *testing.T, o telegram.Options) *telegram.Bucket {
	t.Helper()
	b, err := telegram.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func double(t *testing.T, c *clock) *telegramtest.Server {
	t.Helper()
	s := telegramtest.Start(t, telegramtest.Options{Now: c.time})
	s.User(admin, "Ann", "en").Says(admin, "/start")
	return s
}

func TestDouble_Bucket(t *testing.T) {
	buckettest.Run(t, func(t *testing.T) bucket.Bucket {
		c := newClock()
		return over(t, options(t, double(t, c), c))
	})
}

// 40 MB go through pieces that a bot can fetch back, bit for bit, and are read by
// a machine that knows the token alone.
func TestDouble_FortyMegabytes(t *testing.T) {
	ctx := t.Context()
	c := newClock()
	s := double(t, c)
	data := make([]byte, 40_000_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	st, err := over(t, options(t, s, c)).Stage(ctx, "tree", bucket.StageOptions{Marker: "marker"})
	if err != nil {
		t.Fatal(err)
	}
	w, err := st.Create(ctx, "database")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(w, bytes.NewReader(data))
	if err := errors.Join(err, w.Close(), st.Commit(ctx, []byte("whole"))); err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Chat(admin).Messages() {
		if m.Document != nil && m.Document.FileSize > 19_000_000 {
			t.Errorf("message %d has %d bytes", m.ID, m.Document.FileSize)
		}
	}
	o, err := over(t, options(t, s, c)).Open(ctx, "tree/database")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err := errors.Join(err, o.Close()); err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d other bytes (%v)", len(got), err)
	}
}

// What lies in a chat opens without this package, as docs/telegram.md tells.
func TestDouble_ByHand(t *testing.T) {
	ctx := t.Context()
	c := newClock()
	s := double(t, c)
	b := over(t, options(t, s, c))
	want := bytes.Repeat([]byte("what only the bot knows "), 5000)
	for key, data := range map[string][]byte{"large": want, "small": []byte("a few bytes")} {
		if err := b.Put(ctx, key, data, bucket.Replace); err != nil {
			t.Fatal(err)
		}
	}
	phrase, err := age.NewScryptIdentity(botapi.Passphrase(s.Token))
	if err != nil {
		t.Fatal(err)
	}
	pinned, _ := s.Chat(admin).Pinned()
	clear, err := age.Decrypt(bytes.NewReader(s.Bytes(pinned)), phrase)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(clear)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	index, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	line, tail, _ := bytes.Cut(index, []byte("\n"))
	var told struct {
		Key     string
		Objects map[string]struct {
			Size, Offset int64
			Pack         string
		}
		Packs map[string]struct{ Pieces []struct{ Message int } }
	}
	if err := json.Unmarshal(line, &told); err != nil {
		t.Fatal(err)
	}
	small := told.Objects["small"]
	if got := tail[small.Offset : small.Offset+small.Size]; string(got) != "a few bytes" {
		t.Errorf("the small object is %q", got)
	}
	key, err := age.ParseX25519Identity(told.Key)
	if err != nil {
		t.Fatal(err)
	}
	large := told.Objects["large"]
	m, _ := s.Chat(admin).Message(told.Packs[large.Pack].Pieces[0].Message)
	clear, err = age.Decrypt(bytes.NewReader(s.Bytes(m)), key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(clear); err != nil || !bytes.Equal(got[large.Offset:large.Offset+large.Size], want) {
		t.Errorf("the large object is %d other bytes (%v)", len(got), err)
	}
	for _, m := range s.Chat(admin).Messages() {
		if m.Document != nil && bytes.Contains(s.Bytes(m), want[:24]) {
			t.Errorf("message %d holds it in the open", m.ID)
		}
	}
}

// large writes an object of three pieces.
func large(ctx context.Context, b *telegram.Bucket, prefix string, seed byte) error {
	st, err := b.Stage(ctx, prefix, bucket.StageOptions{Marker: "marker", Resume: true})
	if err != nil {
		return err
	}
	w, err := st.Create(ctx, "database")
	if err != nil {
		return err
	}
	_, err = io.Copy(w, io.LimitReader(rand.NewChaCha8([32]byte{seed}), 38_000_000))
	return errors.Join(err, w.Close(), st.Commit(ctx, []byte("whole")))
}

// documents counts the documents of a chat by name, and the bytes of its pieces.
func documents(s *telegramtest.Server, chat int64) (pieces, free int, size int64) {
	for _, m := range s.Chat(chat).Messages() {
		switch {
		case m.Document == nil:
		case m.Document.FileName == "holdfast-piece.age":
			pieces++
			size += m.Document.FileSize
		case m.Document.FileName == "holdfast-free.txt":
			free++
		}
	}
	return pieces, free, size
}

// A copy that retention removes leaves the chat: deleted within two days,
// overwritten afterwards, and its messages hold the next copy.
func TestDouble_OldCopiesLeaveTheChat(t *testing.T) {
	ctx := t.Context()
	c := newClock()
	s := double(t, c)
	o := options(t, s, c)
	for day, tt := range []struct {
		remove, write string
		after         time.Duration
		pieces, free  int
	}{
		{"", "one", 0, 3, 0},
		{"one", "two", time.Hour, 3, 0},
		{"two", "three", 72 * time.Hour, 3, 0},
		{"three", "", time.Hour, 0, 3}, // its messages are as old as those of two
	} {
		c.pass(tt.after)
		b := over(t, o)
		if tt.remove != "" {
			if err := b.RemoveTree(ctx, tt.remove, "marker"); err != nil {
				t.Fatal(err)
			}
		}
		if tt.write != "" {
			if err := large(ctx, b, tt.write, byte(day)); err != nil {
				t.Fatal(err)
			}
		}
		pieces, free, size := documents(s, admin)
		if pieces != tt.pieces || free != tt.free || size > 38_100_000 {
			t.Errorf("step %d: %d pieces of %d bytes and %d free messages, want %d and %d", day, pieces, size, free, tt.pieces, tt.free)
		}
	}
}

// Where the bot may not pin, the refusal tells the second way, and that works.
func TestDouble_AGroupWhereTheBotMayNotPin(t *testing.T) {
	ctx := t.Context()
	c := newClock()
	s := telegramtest.Start(t, telegramtest.Options{Now: c.time})
	group := s.Supergroup(-1001234567890, "Copies")
	group.Promote(telegramtest.Rights{})
	o := options(t, s, c)
	o.Chat = "-1001234567890"
	err := over(t, o).Put(ctx, "note", []byte("kept"), bucket.Replace)
	if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "?index=") {
		t.Fatalf("got %v (%s), want a refusal that tells the second way", err, holdfast.HintOf(err))
	}
	_, named, _ := strings.Cut(holdfast.HintOf(err), "in the URL: ")
	url, err := telegram.Parse(named)
	if err != nil {
		t.Fatal(err)
	}
	o.Index = url.Index
	if err := over(t, o).Put(ctx, "note", []byte("kept anew"), bucket.Replace); err != nil {
		t.Fatal(err)
	}
	obj, err := over(t, o).Open(ctx, "note")
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 9)
	if _, err := obj.ReadAt(got, 0); err != nil || string(got) != "kept anew" {
		t.Errorf("read %q (%v)", got, err)
	}
}
