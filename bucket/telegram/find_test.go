package telegram

import (
	"errors"
	"maps"
	"os"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// filled gives a chat with one tree, and the message of its index.
func filled(t *testing.T) (*chat, int) {
	t.Helper()
	c := newChat()
	b := open(t, c.stateless(t))
	must(t, b.Put(t.Context(), "note", []byte("kept"), bucket.Replace))
	must(t, tree(t.Context(), b, "one", 1))
	return c, b.remembered()
}

func TestFind_AnEmptyMachineFindsThePinnedIndex(t *testing.T) {
	c, _ := filled(t)
	o := c.options(t)
	if got := held(t, open(t, o)); !maps.Equal(got, shown(map[string]byte{"one": 1})) {
		t.Errorf("found %d objects", len(got))
	}
	if c.times(0, "pin") != 1 {
		t.Errorf("it was pinned %d times", c.times(0, "pin"))
	}
}

func TestFind_ALaterPin(t *testing.T) {
	c, index := filled(t)
	remembers := c.options(t)
	must(t, open(t, remembers).Put(t.Context(), "note", []byte("kept"), bucket.Replace))
	c.foreignPin()

	b := open(t, c.stateless(t))
	_, err := b.Open(t.Context(), "note")
	if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "?index=") {
		t.Errorf("an empty machine: %v, want a refusal that tells the second way", err)
	}
	if err := b.Put(t.Context(), "x", nil, bucket.Replace); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("a second index was begun: %v", err)
	}
	named := c.stateless(t)
	named.Index = index
	for who, o := range map[string]Options{"remembered": remembers, "named": named} {
		b := open(t, o)
		must(t, tree(t.Context(), b, who, 9))
		if got := held(t, b); !maps.Equal(got, shown(map[string]byte{"one": 1, who: 9})) {
			t.Errorf("%s: %d objects", who, len(got))
		}
		must(t, b.RemoveTree(t.Context(), who, "marker"))
	}
	for id, m := range c.messages {
		if m.name == indexName && id != index {
			t.Errorf("message %d is left of looking", id)
		}
	}
}

func TestFind_AnotherToken(t *testing.T) {
	ctx := t.Context()
	c, _ := filled(t)
	o := c.stateless(t)
	r, id := keyOf(t, "two")
	o.Recipient, o.Identities = r, []age.Identity{id}
	b := open(t, o)
	for what, err := range map[string]error{
		"reading": func() error { _, err := b.Open(ctx, "note"); return err }(),
		"writing": b.Put(ctx, "x", nil, bucket.Replace),
	} {
		if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "former_token") {
			t.Errorf("%s: %v, want a refusal that names former_token", what, err)
		}
	}
	_, former := keyOf(t, "one")
	both := o
	both.Identities = []age.Identity{id, former}
	if got := held(t, open(t, both)); !maps.Equal(got, shown(map[string]byte{"one": 1})) {
		t.Errorf("with the former token: %d objects", len(got))
	}
	must(t, open(t, both).Put(ctx, "note", []byte("kept"), bucket.Replace))
	// Once anything was written, the new one alone opens everything.
	if got := held(t, open(t, o)); !maps.Equal(got, shown(map[string]byte{"one": 1})) {
		t.Errorf("with the new token alone: %d objects", len(got))
	}
}

// Another bot cannot edit what the first one sent: it writes an index of its own
// with what it read.
func TestFind_AnotherBot(t *testing.T) {
	ctx := t.Context()
	c, index := filled(t)
	for id, m := range c.messages {
		m.permanent = true
		data := c.files[m.file] // by another name
		delete(c.files, m.file)
		m.file += "-of-the-new-bot"
		c.files[m.file] = data
		_ = id
	}
	o := c.options(t)
	must(t, open(t, o).Put(ctx, "more", []byte("m"), bucket.Replace))
	want := shown(map[string]byte{"one": 1})
	want["more"] = "m"
	if got := held(t, open(t, c.stateless(t))); !maps.Equal(got, want) {
		t.Errorf("%d objects, want %d", len(got), len(want))
	}
	if now := open(t, o).remembered(); now == index {
		t.Error("the index of the other bot is still taken")
	}
}

func TestFind_AnIndexThatIsGone(t *testing.T) {
	ctx := t.Context()
	c, index := filled(t)
	o := c.options(t)
	must(t, open(t, o).Put(ctx, "note", nil, bucket.Replace))
	delete(c.messages, index)
	b := open(t, o)
	if _, err := b.Open(ctx, "note"); !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("got %v, want damage", err)
	}
	err := b.Put(ctx, "note", nil, bucket.Replace)
	if !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(holdfast.HintOf(err), b.memory()) {
		t.Fatalf("got %v, want damage and the file to remove", err)
	}
	must(t, os.Remove(b.memory()))
	must(t, open(t, o).Put(ctx, "note", []byte("anew"), bucket.Replace))
	if got := held(t, open(t, o)); !maps.Equal(got, map[string]string{"note": "anew"}) {
		t.Errorf("begun anew with %q", got)
	}
}

func TestFind_ADamagedIndexIsNoEmptyChat(t *testing.T) {
	ctx := t.Context()
	c, index := filled(t)
	file := c.messages[index].file
	c.files[file] = c.files[file][:len(c.files[file])-3]
	b := open(t, c.stateless(t))
	if _, err := b.Open(ctx, "note"); !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), "message ") {
		t.Errorf("got %v, want damage that names the message", err)
	}
	if err := b.Put(ctx, "note", nil, bucket.Replace); !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("it was written over: %v", err)
	}
}

func TestLimits_NameTheIndex(t *testing.T) {
	c, _ := filled(t)
	o := c.options(t)
	b := open(t, o)
	if text := strings.Join(b.Limits(), " "); strings.Contains(text, "?index=") || !strings.Contains(text, "token") {
		t.Errorf("before it was seen: %s", text)
	}
	must(t, b.Put(t.Context(), "x", nil, bucket.Replace))
	if text := strings.Join(open(t, o).Limits(), " "); !strings.Contains(text, "?index=") {
		t.Errorf("afterwards: %s", text)
	}
}
