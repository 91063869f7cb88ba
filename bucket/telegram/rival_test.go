package telegram

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// indexes gives the messages that look like an index.
func (c *chat) indexes() (all []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, m := range c.messages {
		if m.name == indexName {
			all = append(all, id)
		}
	}
	return all
}

// Two machines that find a chat empty in the same moment have one index and one lease.
func TestRival_TwoBeginAtOnce(t *testing.T) {
	for _, when := range []string{"send " + indexName, "pin"} {
		t.Run(when, func(t *testing.T) {
			ctx := t.Context()
			c := newChat()
			slow, fast := open(t, c.options(t)), open(t, c.options(t))
			var theirs bucket.Lease
			var failed error
			busy := false
			c.meanwhile = func(what string) {
				if what == when && !busy && theirs == nil {
					busy = true
					theirs, failed = fast.Lock(ctx, holdfast.Owner{Host: "fast", PID: 1})
					busy = false
				}
			}
			ours, err := slow.Lock(ctx, holdfast.Owner{Host: "slow", PID: 1})
			c.meanwhile = nil
			must(t, failed)
			winner := fast
			if err == nil {
				winner = slow
				if werr := fast.Put(ctx, "loser", []byte("x"), bucket.Replace); !errors.Is(werr, holdfast.ErrLocked) {
					t.Errorf("the other writes, too: %v", werr)
				}
			} else if !errors.Is(err, holdfast.ErrLocked) {
				t.Fatalf("got %v, want the lease or that somebody has it", err)
			}
			must(t, winner.Put(ctx, "note", []byte("kept"), bucket.Replace))
			for _, l := range []bucket.Lease{ours, theirs} {
				if l != nil {
					must(t, l.Release())
				}
			}
			for who, b := range map[string]*Bucket{"slow": slow, "fast": fast, "another": open(t, c.stateless(t))} {
				b.keep(nil) // not what it saw a moment ago
				if got := held(t, b); !maps.Equal(got, map[string]string{"note": "kept"}) {
					t.Errorf("%s sees %q", who, got)
				}
			}
			if left := c.indexes(); len(left) != 1 {
				t.Errorf("the indexes %v are in the chat", left)
			}
		})
	}
}

// A machine that knows the index by its number follows it to a new message, which
// another one had to send.
func TestRival_TheIndexMoved(t *testing.T) {
	ctx := t.Context()
	c, index := filled(t)
	stays, moves := c.options(t), c.options(t)
	if got := held(t, open(t, stays)); len(got) != 6 {
		t.Fatalf("%d objects", len(got))
	}
	b := open(t, moves)
	c.messages[index].permanent = true
	must(t, b.Put(ctx, "more", []byte("m"), bucket.Replace))
	c.messages[index].permanent = false // of this bot again, as for a machine with the former token
	want := shown(map[string]byte{"one": 1})
	want["more"] = "m"
	named := c.stateless(t)
	named.Index = index
	for who, o := range map[string]Options{"remembered": stays, "named": named} {
		if got := held(t, open(t, o)); !maps.Equal(got, want) {
			t.Errorf("%s: %d objects, want %d", who, len(got), len(want))
		}
	}
	must(t, open(t, stays).Put(ctx, "last", []byte("l"), bucket.Replace))
	want["last"] = "l"
	b.keep(nil) // not what it saw a moment ago
	if got := held(t, b); !maps.Equal(got, want) {
		t.Errorf("the one that moved it sees %d objects, want %d", len(got), len(want))
	}
}

// Two indexes that both name something are nothing to choose from in silence.
func TestRival_TwoIndexes(t *testing.T) {
	ctx := t.Context()
	c, index := filled(t)
	o := c.options(t)
	must(t, open(t, o).Put(ctx, "note", []byte("kept"), bucket.Replace))
	pins := c.pins
	c.pins = nil
	must(t, open(t, c.stateless(t)).Put(ctx, "other", []byte("o"), bucket.Replace))
	c.pins = append(pins, c.pins...)

	b := open(t, o)
	_, err := b.Open(ctx, "note")
	if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), fmt.Sprint(index)) || !strings.Contains(holdfast.HintOf(err), fmt.Sprintf("?index=%d", index)) {
		t.Errorf("got %v (%s), want a refusal that names both", err, holdfast.HintOf(err))
	}
	if err := b.Put(ctx, "x", nil, bucket.Replace); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("it was written: %v", err)
	}
	o.Index = index
	if got := held(t, open(t, o)); !maps.Equal(got, shown(map[string]byte{"one": 1})) {
		t.Errorf("named in the URL: %d objects", len(got))
	}
}

// An older copy of the index that somebody pins is not taken for it.
func TestRival_ACopyOfTheIndex(t *testing.T) {
	ctx := t.Context()
	c, index := filled(t)
	o := c.options(t)
	again, err := c.Forward(ctx, 42, 42, index)
	must(t, err)
	c.messages[again.ID].file = "kept"
	c.files["kept"] = c.files[c.messages[index].file]
	must(t, open(t, o).Put(ctx, "note", []byte("newer"), bucket.Replace))
	must(t, c.Pin(ctx, 42, again.ID))
	b := open(t, o)
	must(t, b.Put(ctx, "note", []byte("newest"), bucket.Replace))
	if got := held(t, open(t, o)); got["note"] != "newest" {
		t.Errorf("it reads %q", got["note"])
	}
}

// An answer that says nothing about a message changes nothing: whoever is
// asked too often, or cannot be found, says "no" as well.
func TestRival_ARefusalThatPasses(t *testing.T) {
	for name, refusal := range map[string]error{
		"too often": holdfast.Kindf(holdfast.ErrRefused, "Telegram takes nothing more for 600 seconds"),
		"kicked":    holdfast.Kindf(holdfast.ErrRefused, "bot was kicked from the supergroup chat"),
		"no chat":   holdfast.Kindf(holdfast.ErrNotFound, "chat not found"),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			c, index := filled(t)
			o := c.stateless(t)
			b := open(t, o)
			for _, during := range []string{"edit " + indexName, "edit " + pieceName, "delete", "edit " + slotName} {
				c.refuse = func(what string) error {
					if what == during || during == "edit "+slotName && what == "delete" {
						return refusal
					}
					return nil
				}
				_ = b.Put(ctx, "note", []byte("kept"), bucket.Replace)
				_ = tree(ctx, b, "two", 20) // one of the two fails
				_ = b.RemoveTree(ctx, "two", "marker")
				c.refuse = nil
				must(t, b.Put(ctx, "note", []byte("kept"), bucket.Replace))
				must(t, b.RemoveTree(ctx, "two", "marker"))
			}
			c.pass(2 * keepUploaded)
			if _, err := b.Clean(ctx); err != nil {
				t.Fatal(err)
			}
			if got := held(t, open(t, o)); !maps.Equal(got, shown(map[string]byte{"one": 1})) {
				t.Errorf("%d objects", len(got))
			}
			if all := c.indexes(); len(all) != 1 || all[0] != index {
				t.Errorf("the indexes are %v, want %d alone", all, index)
			}
			orphans(t, c, open(t, o), name)
		})
	}
}

// What another bot sent cannot be edited: it is not forgotten, since it may be
// deleted.
func TestRival_MessagesOfAnotherBot(t *testing.T) {
	ctx := t.Context()
	c, index := filled(t)
	o := c.stateless(t)
	c.refuse = func(what string) error {
		if what == "delete" {
			return errCut
		}
		return nil
	}
	must(t, open(t, o).RemoveTree(ctx, "one", "marker"))
	c.refuse = nil
	for id, m := range c.messages {
		m.permanent = id != index
	}
	b := open(t, o)
	must(t, tree(ctx, b, "two", 20))
	if _, err := b.Clean(ctx); err != nil {
		t.Fatal(err)
	}
	orphans(t, c, open(t, o), "afterwards")
}

// A process that may not pin its index knows it all the same.
func TestRival_AnIndexThatIsNotPinned(t *testing.T) {
	ctx := t.Context()
	c := newChat()
	b := open(t, c.stateless(t))
	c.refuse = func(what string) error {
		if what == "pin" {
			return holdfast.Kindf(holdfast.ErrRefused, "not enough rights to pin a message")
		}
		return nil
	}
	for range 3 {
		if err := b.Put(ctx, "note", []byte("kept"), bucket.Replace); !errors.Is(err, holdfast.ErrRefused) {
			t.Fatalf("got %v, want a refusal", err)
		}
	}
	c.refuse = nil
	must(t, b.Put(ctx, "note", []byte("kept"), bucket.Replace))
	if all := c.indexes(); len(all) != 1 {
		t.Errorf("the indexes are %v", all)
	}
	if got := held(t, open(t, c.stateless(t))); !maps.Equal(got, map[string]string{"note": "kept"}) {
		t.Errorf("an empty machine finds %q", got)
	}
}

// Without a lease nothing keeps another machine from freeing what was just uploaded:
// it is then uploaded again, and never named.
func TestRival_AMessageThatWasFreed(t *testing.T) {
	ctx := t.Context()
	c, _ := filled(t)
	o := c.stateless(t)
	b := open(t, o)
	s, err := b.Stage(ctx, "two", bucket.StageOptions{Marker: "marker"})
	must(t, err)
	must(t, write(ctx, s, "large", noise(1, 200_000)))
	if freed, err := open(t, o).Clean(ctx); err != nil || len(freed) == 0 {
		t.Fatalf("freed %q (%v), want the pieces", freed, err)
	}
	if err := s.Commit(ctx, nil); !errors.Is(err, errTurned) {
		t.Errorf("got %v, want a refusal", err)
	}
	must(t, s.Abort(ctx))
	must(t, tree(ctx, b, "two", 20))
	if got := held(t, open(t, o)); !maps.Equal(got, shown(map[string]byte{"one": 1, "two": 20})) {
		t.Errorf("%d objects", len(got))
	}
}
