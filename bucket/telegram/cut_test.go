package telegram

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// noise gives bytes that nothing compresses, the same for the same seed.
func noise(seed byte, n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// held reads everything that a bucket holds.
func held(t *testing.T, b *Bucket) map[string]string {
	t.Helper()
	all := map[string]string{}
	for info, err := range b.List(t.Context(), "") {
		must(t, err)
		o, err := b.Open(t.Context(), info.Key)
		must(t, err)
		data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
		must(t, errors.Join(err, o.Close()))
		all[info.Key] = string(data)
	}
	return all
}

func write(ctx context.Context, s bucket.Stage, key string, data []byte) error {
	w, err := s.Create(ctx, key)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return errors.Join(err, w.Close())
}

// tree stages a backup: small, pooled and large objects.
func tree(ctx context.Context, b *Bucket, prefix string, seed byte) error {
	s, err := b.Stage(ctx, prefix, bucket.StageOptions{Marker: "marker", Resume: true})
	if err != nil {
		return err
	}
	for key, data := range treeOf(seed) {
		if err := write(ctx, s, key, data); err != nil {
			return err // given up without Abort
		}
	}
	return s.Commit(ctx, []byte("whole"))
}

func treeOf(seed byte) map[string][]byte {
	return map[string][]byte{"small": noise(seed, 500), "a/pooled": noise(seed+1, 60_000), "b/pooled": noise(seed+2, 50_000), "large": noise(seed+3, 160_000)}
}

// shown is what a bucket holds with these trees.
func shown(trees map[string]byte) map[string]string {
	all := map[string]string{"note": "kept"}
	for prefix, seed := range trees {
		all[prefix+"/marker"] = "whole"
		for key, data := range treeOf(seed) {
			all[prefix+"/"+key] = string(data)
		}
	}
	return all
}

// TestBucket_EveryCutLeavesOldOrNew fails each request of a run in turn, before and after it
// took effect. A machine that knows nothing then finds the state before or after
// one of the run's changes; the next run ends the work; and nothing is left in the
// chat but what the index names, and tiny documents.
func TestBucket_EveryCutLeavesOldOrNew(t *testing.T) {
	ctx := t.Context()
	before := newChat()
	b := open(t, before.stateless(t))
	must(t, b.Put(ctx, "note", []byte("kept"), bucket.Replace))
	must(t, tree(ctx, b, "one", 1))
	must(t, tree(ctx, b, "two", 20))
	if _, err := b.Clean(ctx); err != nil {
		t.Fatal(err)
	}
	for verdict, when := range map[int]string{-1: "before it took effect", 1: "after it took effect"} {
		t.Run(when, func(t *testing.T) {
			n := 0
			for cutAt(t, before.copy(), n, verdict) {
				n++
			}
			if n < 10 {
				t.Fatalf("only %d requests", n)
			}
		})
	}
}

// turnOver is a run as replication makes one: the lease, cleaning, an old backup
// removed, a new one copied.
func turnOver(ctx context.Context, b *Bucket) (err error) {
	lease, err := b.Lock(ctx, holdfast.Owner{Host: "here", PID: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	if _, err := b.Clean(ctx); err != nil {
		return err
	}
	if err := b.RemoveTree(ctx, "one", "marker"); err != nil {
		return err
	}
	switch o, err := b.Open(ctx, "three/marker"); {
	case err == nil:
		return o.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return tree(ctx, b, "three", 30)
}

// cutAt fails the n-th request of a run; false if there were not as many.
func cutAt(t *testing.T, c *chat, n, verdict int) (cut bool) {
	t.Helper()
	ctx := t.Context()
	o := c.stateless(t)
	what := "none"
	c.fail = func(at int, request string) int {
		if at != n {
			return 0
		}
		cut, what = true, request
		return verdict
	}
	_ = turnOver(ctx, open(t, o)) // its error is not the point
	c.fail = nil
	got := held(t, open(t, o))
	states := []map[string]string{
		shown(map[string]byte{"one": 1, "two": 20}),
		shown(map[string]byte{"two": 20}),
		shown(map[string]byte{"two": 20, "three": 30}),
	}
	if !slices.ContainsFunc(states, func(s map[string]string) bool { return maps.Equal(s, got) }) {
		t.Fatalf("request %d (%s): no state of the run, but %q", n, what, slices.Sorted(maps.Keys(got)))
	}
	c.pass(2 * time.Hour) // the lease of the first is over
	next := open(t, o)
	must(t, turnOver(ctx, next))
	if got := held(t, open(t, o)); !maps.Equal(got, states[2]) {
		t.Fatalf("request %d (%s): the next run ended with %q", n, what, slices.Sorted(maps.Keys(got)))
	}
	c.pass(8 * 24 * time.Hour) // and nothing waits for a further attempt
	if _, err := next.Clean(ctx); err != nil {
		t.Fatal(err)
	}
	orphans(t, c, open(t, o), fmt.Sprintf("request %d (%s)", n, what))
	return cut
}

// orphans looks for large documents that the index does not name.
func orphans(t *testing.T, c *chat, b *Bucket, when string) {
	t.Helper()
	s, err := b.look(t.Context(), true)
	must(t, err)
	named := map[int]bool{}
	for _, p := range s.idx.Packs {
		for _, at := range p.Pieces {
			named[at.Message] = true
			if m := c.messages[at.Message]; m == nil || m.file != at.File {
				t.Fatalf("%s: the index names message %d, which does not hold it", when, at.Message)
			}
		}
	}
	for id, m := range c.messages {
		if !named[id] && m.name == pieceName {
			t.Fatalf("%s: message %d holds %d bytes that nothing names", when, id, len(c.files[m.file]))
		}
	}
}

// A piece is sent once, whatever happens to the run: the next one finds by its
// content what an earlier one, on this machine or another, had uploaded whole.
func TestCut_UploadGoesOn(t *testing.T) {
	ctx := t.Context()
	c := newChat()
	o := c.options(t)
	sent := 0
	c.fail = func(_ int, what string) int {
		if what != "edit "+pieceName {
			return 0
		}
		if sent++; sent == 3 {
			return -1
		}
		return 0
	}
	data := noise(7, 420_000) // five pieces
	run := func() error {
		s, err := open(t, o).Stage(ctx, "tree", bucket.StageOptions{Marker: "marker", Resume: true})
		if err != nil {
			return err
		}
		if err := write(ctx, s, "large", data); err != nil {
			return err
		}
		return s.Commit(ctx, nil)
	}
	if err := run(); !errors.Is(err, errCut) {
		t.Fatalf("got %v, want the cut", err)
	}
	if removed, err := open(t, o).Clean(ctx); err != nil || len(removed) == 0 {
		t.Fatalf("Clean freed %q (%v), want the messages that hold no whole piece", removed, err)
	}
	o.State = ""
	must(t, run())
	if sent != 6 { // two, the one that was cut, three
		t.Errorf("%d pieces were sent, want 6", sent)
	}
	o2 := held(t, open(t, o))
	if !bytes.Equal([]byte(o2["tree/large"]), data) {
		t.Errorf("the object reads as %d other bytes", len(o2["tree/large"]))
	}
	orphans(t, c, open(t, o), "at the end")
}
