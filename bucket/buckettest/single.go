package buckettest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/bucket"
)

// create streams one object.
func create(ctx context.Context, b bucket.Bucket, key, data string) error {
	w, err := b.Create(ctx, key)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, data)
	return errors.Join(err, w.Close())
}

func createShows(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	commit(t, b, "tree", map[string]string{"a": "A"})
	for _, key := range []string{"tree/b", "tree/sub/c", "beside", "other/d"} {
		w, err := b.Create(ctx, key)
		must(t, err)
		_, err = io.WriteString(w, "first half, ")
		must(t, err)
		_, err = b.Open(ctx, key)
		is(t, key+" before Close", err, fs.ErrNotExist)
		lists(t, b, key)
		_, err = io.WriteString(w, "second half")
		must(t, errors.Join(err, w.Close()))
		holds(t, b, key, "first half, second half")
	}
	lists(t, b, "", "beside", "other/d", "tree/a", "tree/b", "tree/"+marker, "tree/sub/c")
}

func createReplaces(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	first := strings.Repeat("first ", 50_000)
	must(t, create(ctx, b, "object", first))
	before, err := b.Open(ctx, "object")
	must(t, err)
	w, err := b.Create(ctx, "object")
	must(t, err)
	buf := make([]byte, 6000)
	for off := int64(0); off < before.Size(); off += int64(len(buf)) { // writing from what is replaced
		_, err := before.ReadAt(buf, off)
		must(t, err)
		_, err = w.Write(bytes.ToUpper(buf))
		must(t, err)
	}
	holds(t, b, "object", first)
	must(t, w.Close())
	holds(t, b, "object", strings.ToUpper(first))
	if got := readObject(t, before); string(got) != first {
		t.Errorf("the object that was open reads as %d other bytes", len(got))
	}
	must(t, create(ctx, b, "object", ""))
	holds(t, b, "object", "")
	lists(t, b, "", "object")
}

func createDiscards(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	put(t, b, "object", "old")
	w, err := b.Create(ctx, "object")
	must(t, err)
	_, err = io.WriteString(w, "new")
	must(t, errors.Join(err, w.Discard(), w.Discard()))
	if err := w.Close(); err == nil {
		t.Error("a discarded object was completed")
	}
	holds(t, b, "object", "old")
	w, err = b.Create(ctx, "object")
	must(t, errors.Join(err, w.Skip(3), w.Close(), w.Discard()))
	holds(t, b, "object", "\x00\x00\x00")
	_, err = io.WriteString(w, "late")
	is(t, "Write", err, fs.ErrClosed)
	is(t, "Skip", w.Skip(1), fs.ErrClosed)
	is(t, "Close", w.Close(), fs.ErrClosed)
	left, err := b.Clean(ctx)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// createLarge streams more than any store takes at once, in pieces of all
// sizes.
func createLarge(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	const size = 17<<20 + 3
	data := make([]byte, size)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(data)
	random := rand.New(r)
	s := stage(t, b, "tree", nil)
	staged, err := s.Create(ctx, "large")
	must(t, err)
	single, err := b.Create(ctx, "large")
	must(t, err)
	for off := 0; off < size; {
		n := min(1+random.IntN(3<<20), size-off)
		for _, w := range []bucket.Writer{staged, single} {
			_, err := w.Write(data[off : off+n])
			must(t, err)
		}
		off += n
	}
	must(t, errors.Join(staged.Close(), single.Close(), s.Commit(ctx, nil)))
	for _, key := range []string{"tree/large", "large"} {
		if got := read(t, b, key); !bytes.Equal(got, data) {
			t.Errorf("%s reads as %d other bytes", key, len(got))
		}
		o, err := b.Open(ctx, key)
		must(t, err)
		for range 20 {
			off, n := random.IntN(size), random.IntN(10_000)
			got := make([]byte, min(n, size-off))
			if _, err := o.ReadAt(got, int64(off)); err != nil || !bytes.Equal(got, data[off:off+len(got)]) {
				t.Errorf("%s: %d bytes at %d differ (%v)", key, len(got), off, err)
			}
		}
		must(t, o.Close())
	}
}

func createCancelled(t *testing.T, b bucket.Bucket) {
	put(t, b, "object", "old")
	ctx, cancel := context.WithCancel(t.Context())
	w, err := b.Create(ctx, "object")
	must(t, err)
	_, err = io.WriteString(w, "half")
	must(t, err)
	cancel()
	is(t, "Close", w.Close(), context.Canceled)
	holds(t, b, "object", "old")
	_, err = b.Create(ctx, "object")
	is(t, "Create", err, context.Canceled)
}
