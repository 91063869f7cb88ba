package telegram

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

func TestRoom_BeyondTheLimitIsRefused(t *testing.T) {
	ctx := t.Context()
	c := newChat()
	o := c.stateless(t)
	o.Limit = 1_000_000
	b := open(t, o)
	free := func() int64 {
		t.Helper()
		n, ok, err := b.Free(ctx)
		if err != nil || !ok {
			t.Fatalf("Free: %v, %v", ok, err)
		}
		return n
	}
	if n := free(); n != o.Limit {
		t.Errorf("an empty chat has %d bytes free", n)
	}
	must(t, tree(ctx, b, "one", 1))
	left := free()
	if left >= o.Limit-270_000 || left < o.Limit-300_000 {
		t.Errorf("%d bytes are free after 270 kB", left)
	}
	requests := len(c.log)
	s, err := b.Stage(ctx, "two", bucket.StageOptions{Marker: "marker"})
	must(t, err)
	err = write(ctx, s, "large", noise(1, 900_000))
	if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "s3://") {
		t.Errorf("got %v, want a refusal that recommends object storage", err)
	}
	must(t, s.Abort(ctx))
	if n := c.times(requests, "edit") + c.times(requests, "send"); n > 0 {
		t.Errorf("%d messages were written for what is refused", n)
	}
	if err := b.Fits(ctx, left); err != nil {
		t.Errorf("what is free does not fit: %v", err)
	}
	if err := b.Fits(ctx, left+1); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("a byte more gave %v", err)
	}
	// Many small ones come to the same.
	s, err = b.Stage(ctx, "three", bucket.StageOptions{Marker: "marker"})
	must(t, err)
	for i := range 8 {
		must(t, write(ctx, s, strings.Repeat("x", i+1), noise(byte(i), 100_000)))
	}
	if err := s.Commit(ctx, nil); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("Commit gave %v, want a refusal", err)
	}
	must(t, s.Abort(ctx))
	if n := free(); n != left {
		t.Errorf("%d bytes are free, %d were before", n, left)
	}
	must(t, b.RemoveTree(ctx, "one", "marker"))
	if n := free(); n != o.Limit {
		t.Errorf("%d bytes are free when all is removed", n)
	}
}

// What is not needed any more is deleted while Telegram lets a bot do that, and
// overwritten afterwards; the messages that stay are used again.
func TestRoom_OldPiecesGo(t *testing.T) {
	ctx := t.Context()
	for name, age := range map[string]time.Duration{"within two days": time.Hour, "later": 3 * window} {
		t.Run(name, func(t *testing.T) {
			c := newChat()
			o := c.stateless(t)
			must(t, tree(ctx, open(t, o), "one", 1))
			pieces := c.count(pieceName)
			if pieces < 3 {
				t.Fatalf("only %d pieces", pieces)
			}
			c.pass(age)
			b := open(t, o)
			must(t, b.RemoveTree(ctx, "one", "marker"))
			if n := c.count(pieceName); n != 0 {
				t.Errorf("%d pieces are left", n)
			}
			kept := c.count(slotName)
			if want := map[bool]int{true: pieces, false: 0}[age > window]; kept != want {
				t.Errorf("%d messages were kept for another piece, want %d", kept, want)
			}
			sent := len(c.log)
			must(t, tree(ctx, b, "two", 40))
			if n := c.times(sent, "send"); n != pieces-kept {
				t.Errorf("%d new messages for %d pieces, %d were free", n, pieces, kept)
			}
			if got := held(t, open(t, o)); len(got) != 5 {
				t.Errorf("%d objects", len(got))
			}
			orphans(t, c, open(t, o), "at the end")
		})
	}
}

// Whoever reads an object keeps its messages; the next cleaning takes them.
func TestRoom_AReaderIsWaitedFor(t *testing.T) {
	ctx := t.Context()
	c := newChat()
	b := open(t, c.stateless(t))
	must(t, tree(ctx, b, "one", 1))
	o, err := b.Open(ctx, "one/large")
	must(t, err)
	must(t, b.RemoveTree(ctx, "one", "marker"))
	if n := c.count(pieceName); n != 2 {
		t.Errorf("%d pieces while one object is read, want its 2", n)
	}
	if _, err := o.ReadAt(make([]byte, 10), 0); err != nil {
		t.Error(err)
	}
	must(t, o.Close())
	removed, err := b.Clean(ctx)
	if err != nil || len(removed) != 2 || c.count(pieceName) != 0 {
		t.Errorf("Clean removed %q (%v), %d pieces are left", removed, err, c.count(pieceName))
	}
}
