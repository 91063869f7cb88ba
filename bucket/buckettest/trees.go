package buckettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

func stageVisibility(t *testing.T, b bucket.Bucket) {
	s := stage(t, b, "tree", map[string]string{"a": "A", "sub/b": "B"})
	lists(t, b, "")
	_, err := b.Open(t.Context(), "tree/a")
	is(t, "open before commit", err, fs.ErrNotExist)
	must(t, s.Commit(t.Context(), []byte("committed")))
	lists(t, b, "", "tree/a", "tree/"+marker, "tree/sub/b")
	holds(t, b, "tree/a", "A")
	holds(t, b, "tree/sub/b", "B")
	holds(t, b, "tree/"+marker, "committed")
}

func commitTaken(t *testing.T, b bucket.Bucket) {
	commit(t, b, "tree", map[string]string{"a": "first"})
	s := stage(t, b, "tree", map[string]string{"a": "second", "b": "second"})
	is(t, "commit", s.Commit(t.Context(), nil), fs.ErrExist)
	must(t, s.Abort(t.Context()))
	lists(t, b, "", "tree/a", "tree/"+marker)
	holds(t, b, "tree/a", "first")
}

func commitAfterRemoval(t *testing.T, b bucket.Bucket) {
	put(t, b, "tree/deep/down/a", "x")
	must(t, b.Delete(t.Context(), "tree/deep/down/a"))
	commit(t, b, "tree", map[string]string{"a": "A"})
	must(t, b.RemoveTree(t.Context(), "tree", marker))
	commit(t, b, "tree", map[string]string{"b": "B"})
	lists(t, b, "", "tree/b", "tree/"+marker)
}

func commitRace(t *testing.T, b bucket.Bucket) {
	stages := make([]bucket.Stage, 4)
	for i := range stages {
		stages[i] = stage(t, b, "tree", map[string]string{"who": fmt.Sprint(i)})
	}
	errs := make([]error, len(stages))
	var wg sync.WaitGroup
	for i, s := range stages {
		wg.Go(func() { errs[i] = s.Commit(t.Context(), []byte(fmt.Sprint(i))) })
	}
	wg.Wait()
	winner := slices.Index(errs, nil)
	if winner < 0 {
		t.Fatalf("nobody won: %v", errs)
	}
	for i, err := range errs {
		if i != winner {
			is(t, fmt.Sprint("stage ", i), err, fs.ErrExist)
		}
		must(t, stages[i].Abort(t.Context()))
	}
	lists(t, b, "", "tree/"+marker, "tree/who")
	holds(t, b, "tree/who", fmt.Sprint(winner))
	holds(t, b, "tree/"+marker, fmt.Sprint(winner))
}

func commitOpenWriter(t *testing.T, b bucket.Bucket) {
	s := stage(t, b, "tree", map[string]string{"a": "A"})
	w, err := s.Create(t.Context(), "b")
	must(t, err)
	if err := s.Commit(t.Context(), nil); err == nil {
		t.Error("half an object was committed")
	}
	lists(t, b, "")
	must(t, w.Close())
	must(t, s.Commit(t.Context(), nil))
	lists(t, b, "", "tree/a", "tree/b", "tree/"+marker)
}

func abort(t *testing.T, b bucket.Bucket) {
	s := stage(t, b, "tree", map[string]string{"a": "A"})
	_, err := s.Create(t.Context(), "open")
	must(t, err)
	must(t, s.Abort(t.Context()))
	must(t, s.Abort(t.Context()))
	lists(t, b, "")
	left, err := b.Clean(t.Context())
	must(t, err)
	if len(left) > 0 {
		t.Errorf("Abort left %q", left)
	}
}

func abortAfterCommit(t *testing.T, b bucket.Bucket) {
	s := stage(t, b, "tree", map[string]string{"a": "A"})
	must(t, s.Commit(t.Context(), nil))
	must(t, s.Abort(t.Context()))
	lists(t, b, "", "tree/a", "tree/"+marker)
}

func abortCancelled(t *testing.T, b bucket.Bucket) {
	ctx, cancel := context.WithCancel(t.Context())
	s := stage(t, b, "tree", map[string]string{"a": "A"})
	cancel()
	must(t, s.Abort(ctx))
	left, err := b.Clean(t.Context())
	must(t, err)
	if len(left) > 0 {
		t.Errorf("Abort left %q", left)
	}
}

func stageEnded(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	for name, end := range map[string]func(bucket.Stage) error{
		"aborted":   func(s bucket.Stage) error { return s.Abort(ctx) },
		"committed": func(s bucket.Stage) error { return s.Commit(ctx, nil) },
	} {
		s := stage(t, b, name, map[string]string{"a": "A"})
		must(t, end(s))
		_, cerr := s.Create(ctx, "b")
		is(t, name+" Create", cerr, fs.ErrClosed)
		_, oerr := s.Open(ctx, "a")
		is(t, name+" Open", oerr, fs.ErrClosed)
		is(t, name+" Remove", s.Remove(ctx, "a"), fs.ErrClosed)
		is(t, name+" Commit", s.Commit(ctx, nil), fs.ErrClosed)
	}
	lists(t, b, "", "committed/a", "committed/"+marker)
}

func sideBySide(t *testing.T, b bucket.Bucket) {
	s := stage(t, b, "tree", nil)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			data := strings.Repeat(fmt.Sprintf("%02d", i), 10_000)
			if err := write(t.Context(), s, fmt.Sprintf("sub/%d/%02d", i%3, i), data); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	must(t, s.Commit(t.Context(), nil))
	for i := range 16 {
		holds(t, b, fmt.Sprintf("tree/sub/%d/%02d", i%3, i), strings.Repeat(fmt.Sprintf("%02d", i), 10_000))
	}
}

func createAgain(t *testing.T, b bucket.Bucket) {
	s := stage(t, b, "tree", map[string]string{"a": "a longer first version"})
	must(t, write(t.Context(), s, "a", "second"))
	w, err := s.Create(t.Context(), "b")
	must(t, err)
	if _, err := s.Create(t.Context(), "b"); err == nil {
		t.Error("one object was given to two writers")
	}
	must(t, w.Close())
	must(t, s.Commit(t.Context(), nil))
	holds(t, b, "tree/a", "second")
}

// openOutlives holds an object open while its key gets another, as whoever
// writes an object anew from its own old bytes does.
func openOutlives(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	first := strings.Repeat("first ", 20_000)
	s := stage(t, b, "tree", map[string]string{"a": first, "b": first})
	a, err := s.Open(ctx, "a")
	must(t, err)
	o, err := s.Open(ctx, "b")
	must(t, err)
	w, err := s.Create(ctx, "a")
	must(t, err)
	buf := make([]byte, 6000)
	for off := int64(0); off < a.Size(); off += int64(len(buf)) { // writing from what is replaced
		_, err := a.ReadAt(buf, off)
		must(t, err)
		_, err = w.Write(bytes.ToUpper(buf))
		must(t, err)
	}
	must(t, errors.Join(w.Close(), s.Remove(ctx, "b")))
	for name, old := range map[string]bucket.Object{"replaced": a, "removed": o} {
		if got := readObject(t, old); string(got) != first {
			t.Errorf("the %s object reads as %d other bytes", name, len(got))
		}
	}
	must(t, s.Commit(ctx, nil))
	holds(t, b, "tree/a", strings.ToUpper(first))
	lists(t, b, "", "tree/a", "tree/"+marker)
}

func readBack(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	s := stage(t, b, "tree", map[string]string{"sub/a": "A", "sub/b": "B", "c": "C"})
	o, err := s.Open(ctx, "sub/a")
	must(t, err)
	if got := readObject(t, o); string(got) != "A" {
		t.Errorf("read back %q, want A", got)
	}
	for _, key := range []string{"absent", "sub", "sub/absent"} {
		_, err = s.Open(ctx, key)
		is(t, key, err, fs.ErrNotExist)
	}
	w, err := s.Create(ctx, "open")
	must(t, err)
	_, err = s.Open(ctx, "open")
	is(t, "an object that is not complete", err, fs.ErrNotExist)
	must(t, w.Discard())
	must(t, s.Remove(ctx, "sub/b"))
	must(t, s.Remove(ctx, "sub/b"))
	must(t, s.Remove(ctx, "sub")) // a folder is no object
	must(t, s.Commit(ctx, nil))
	lists(t, b, "", "tree/c", "tree/"+marker, "tree/sub/a")
}

func deepPrefix(t *testing.T, b bucket.Bucket) {
	commit(t, b, "one/two/three", map[string]string{"a": "A"})
	commit(t, b, "one/two/four", map[string]string{"a": "A"})
	must(t, b.RemoveTree(t.Context(), "one/two/three", marker))
	lists(t, b, "", "one/two/four/a", "one/two/four/"+marker)
	s := stage(t, b, "one/two", nil)
	is(t, "a prefix with a tree below", s.Commit(t.Context(), nil), fs.ErrExist)
	must(t, s.Abort(t.Context()))
}

func skip(t *testing.T, b bucket.Bucket) {
	s := stage(t, b, "tree", nil)
	for _, tt := range []struct {
		key   string
		parts []any // text to write or length to skip
	}{
		{"middle", []any{"head", 100_000, "tail"}},
		{"first", []any{70_000, "tail"}},
		{"last", []any{"head", 70_000}},
		{"only", []any{70_000}},
		{"nothing", []any{0, "", 0}},
		{"many", []any{"a", 1, "b", 5000, 5000, "c", 3}},
	} {
		w, err := s.Create(t.Context(), tt.key)
		must(t, err)
		var want bytes.Buffer
		for _, p := range tt.parts {
			switch p := p.(type) {
			case string:
				n, err := w.Write([]byte(p))
				must(t, err)
				if n != len(p) {
					t.Errorf("wrote %d of %d", n, len(p))
				}
				want.WriteString(p)
			case int:
				must(t, w.Skip(int64(p)))
				want.Write(make([]byte, p))
			}
		}
		if err := w.Skip(-1); err == nil {
			t.Error("skipped backwards")
		}
		must(t, w.Close())
		o, err := s.Open(t.Context(), tt.key)
		must(t, err)
		if got := readObject(t, o); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s: %d bytes differ from %d written", tt.key, len(got), want.Len())
		}
	}
	must(t, s.Commit(t.Context(), nil))
	holds(t, b, "tree/last", "head"+strings.Repeat("\x00", 70_000))
}

func discard(t *testing.T, b bucket.Bucket) {
	s := stage(t, b, "tree", map[string]string{"kept": "K"})
	w, err := s.Create(t.Context(), "dropped")
	must(t, err)
	_, err = w.Write([]byte("half"))
	must(t, errors.Join(err, w.Discard(), w.Discard()))
	if err := w.Close(); err == nil {
		t.Error("a discarded object was completed")
	}
	w, err = s.Create(t.Context(), "closed")
	must(t, errors.Join(err, w.Close(), w.Discard()))
	must(t, s.Commit(t.Context(), nil))
	lists(t, b, "", "tree/closed", "tree/kept", "tree/"+marker)
}

func writeAfterClose(t *testing.T, b bucket.Bucket) {
	s := stage(t, b, "tree", nil)
	w, err := s.Create(t.Context(), "a")
	must(t, errors.Join(err, w.Close()))
	_, err = w.Write([]byte("late"))
	is(t, "Write", err, fs.ErrClosed)
	is(t, "Skip", w.Skip(1), fs.ErrClosed)
	is(t, "Close", w.Close(), fs.ErrClosed)
	must(t, s.Abort(t.Context()))
}

func removeTree(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	must(t, b.RemoveTree(ctx, "absent", marker))
	commit(t, b, "tree", map[string]string{"a": "A", "sub/b": "B"})
	commit(t, b, "tree2", map[string]string{"a": "A"})
	put(t, b, "tree.note", "N")
	put(t, b, "unmarked/a", "A")
	must(t, b.RemoveTree(ctx, "tree", marker))
	must(t, b.RemoveTree(ctx, "tree", marker))
	must(t, b.RemoveTree(ctx, "unmarked", marker))
	must(t, b.RemoveTree(ctx, "tree.note", marker)) // an object is no tree
	lists(t, b, "", "tree.note", "tree2/a", "tree2/"+marker)
	left, err := b.Clean(ctx)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("RemoveTree left %q", left)
	}
}

func clean(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	// Names inside a tree are those of other people's files, whatever they
	// look like.
	foreign := map[string]string{".tmp-a-ABCDEFGHIJKLM": "x", ".deleted-a-ABCDEFGHIJKLM": "y", "sub/.tmp-b-ABCDEFGHIJKLM": "z", ".tmp-dir-ABCDEFGHIJKLM/c": "c"}
	commit(t, b, "tree", foreign)
	put(t, b, ".holdfast/note", "n")
	put(t, b, "object", "o")
	before := keys(t, b, "")
	if len(before) != len(foreign)+3 {
		t.Errorf("listed %q", before)
	}
	left := stage(t, b, "left", map[string]string{"a": "A", "sub/b": "B"})
	removed, err := b.Clean(ctx)
	must(t, err)
	if len(removed) != 1 || !strings.Contains(removed[0], "left") {
		t.Errorf("Clean told %q, want the stage of left", removed)
	}
	if err := left.Commit(ctx, nil); err == nil {
		t.Error("a stage that Clean removed was committed")
	}
	must(t, left.Abort(ctx))
	lists(t, b, "", before...)
	again, err := b.Clean(ctx)
	must(t, err)
	if len(again) > 0 {
		t.Errorf("the second Clean told %q", again)
	}
	for key, data := range foreign {
		holds(t, b, "tree/"+key, data)
	}
}

func lock(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	owner := holdfast.Owner{Host: "here", PID: 4711, Purpose: "backup"}
	lease, err := b.Lock(ctx, owner)
	must(t, err)
	_, err = b.Lock(ctx, holdfast.Owner{Host: "there", PID: 1, Purpose: "prune"})
	is(t, "the second", err, holdfast.ErrLocked)
	if held, ok := errors.AsType[*holdfast.LockedError](err); !ok || held.Owner != owner || held.Object == "" {
		t.Errorf("got %#v, want the owner %v", err, owner)
	}
	select {
	case <-lease.Lost():
		t.Error("the lease was lost")
	default:
	}
	lists(t, b, "") // a lease is no object
	must(t, lease.Release())
	must(t, lease.Release())
	next, err := b.Lock(ctx, holdfast.Owner{Host: "there", PID: 1, Purpose: "prune"})
	must(t, err)
	must(t, lease.Release()) // a stale holder must not free another's lease
	_, err = b.Lock(ctx, owner)
	is(t, "while the next holds it", err, holdfast.ErrLocked)
	must(t, next.Release())
}

func lockRace(t *testing.T, b bucket.Bucket) {
	leases := make([]bucket.Lease, 16)
	var wg sync.WaitGroup
	for i := range leases {
		wg.Go(func() {
			lease, err := b.Lock(t.Context(), holdfast.Owner{Host: "here", PID: i + 1, Purpose: "race"})
			if err == nil {
				leases[i] = lease
			} else {
				is(t, fmt.Sprint("contender ", i), err, holdfast.ErrLocked)
			}
		})
	}
	wg.Wait()
	winners := 0
	for _, lease := range leases {
		if lease != nil {
			winners++
			must(t, lease.Release())
		}
	}
	if winners != 1 {
		t.Errorf("%d hold the lease, want 1", winners)
	}
}
