package buckettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

func hostileKeys(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	s := stage(t, b, "tree", nil)
	for _, key := range []string{"", ".", "..", "/", "/etc/passwd", "../outside", "a/../../outside", "a//b", "a/", "./a", `a\b`, `..\outside`, "a\x00b", "\xff"} {
		is(t, fmt.Sprintf("Put(%q)", key), b.Put(ctx, key, nil, bucket.Replace), holdfast.ErrUsage)
		is(t, fmt.Sprintf("Delete(%q)", key), b.Delete(ctx, key), holdfast.ErrUsage)
		is(t, fmt.Sprintf("RemoveTree(%q)", key), b.RemoveTree(ctx, key, marker), holdfast.ErrUsage)
		is(t, fmt.Sprintf("RemoveTree(marker %q)", key), b.RemoveTree(ctx, "tree", key), holdfast.ErrUsage)
		is(t, fmt.Sprintf("stage.Remove(%q)", key), s.Remove(ctx, key), holdfast.ErrUsage)
		_, err := b.Open(ctx, key)
		is(t, fmt.Sprintf("Open(%q)", key), err, holdfast.ErrUsage)
		_, err = b.Stage(ctx, key, bucket.StageOptions{Marker: marker})
		is(t, fmt.Sprintf("Stage(%q)", key), err, holdfast.ErrUsage)
		_, err = b.Stage(ctx, "tree", bucket.StageOptions{Marker: key})
		is(t, fmt.Sprintf("Stage(marker %q)", key), err, holdfast.ErrUsage)
		_, err = b.Create(ctx, key)
		is(t, fmt.Sprintf("Create(%q)", key), err, holdfast.ErrUsage)
		_, err = s.Create(ctx, key)
		is(t, fmt.Sprintf("stage.Create(%q)", key), err, holdfast.ErrUsage)
		_, err = s.Open(ctx, key)
		is(t, fmt.Sprintf("stage.Open(%q)", key), err, holdfast.ErrUsage)
	}
	must(t, s.Abort(ctx))
	lists(t, b, "")
}

func unicodeKeys(t *testing.T, b bucket.Bucket) {
	put(t, b, "สำรอง/ข้อมูล.json", "th")
	put(t, b, "پشتیبان/می‌خواهم", "fa")
	put(t, b, "with space/.hidden/-dash", "plain")
	lists(t, b, "", "with space/.hidden/-dash", "پشتیبان/می‌خواهم", "สำรอง/ข้อมูล.json")
	holds(t, b, "สำรอง/ข้อมูล.json", "th")
	holds(t, b, "پشتیبان/می‌خواهم", "fa")
}

func location(t *testing.T, b bucket.Bucket) {
	if b.Location() == "" {
		t.Error("the location is empty")
	}
}

func randomAccess(t *testing.T, b bucket.Bucket) {
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	put(t, b, "a/object", string(data))
	o, err := b.Open(t.Context(), "a/object")
	must(t, err)
	if o.Size() != int64(len(data)) {
		t.Errorf("size %d, want %d", o.Size(), len(data))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for off := i * 11; off < len(data)-500; off += 997 {
				buf := make([]byte, 500)
				if n, err := o.ReadAt(buf, int64(off)); n != 500 || err != nil || !bytes.Equal(buf, data[off:off+500]) {
					t.Errorf("ReadAt(500, %d) gave %d bytes, %v", off, n, err)
					return
				}
			}
		})
	}
	wg.Wait()
	buf := make([]byte, 10)
	if n, err := o.ReadAt(buf, o.Size()-4); n != 4 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v, want 4 bytes and EOF", n, err)
	}
	if n, err := o.ReadAt(buf, o.Size()); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("beyond the end: %d, %v, want EOF", n, err)
	}
	must(t, o.Close())
}

func openAbsent(t *testing.T, b bucket.Bucket) {
	_, err := b.Open(t.Context(), "absent")
	is(t, "in an empty bucket", err, fs.ErrNotExist)
	put(t, b, "tree/object", "x")
	for _, key := range []string{"absent", "tree", "tree/absent", "tree/deep/absent"} {
		_, err := b.Open(t.Context(), key)
		is(t, key, err, fs.ErrNotExist)
	}
}

func putReplaces(t *testing.T, b bucket.Bucket) {
	for _, data := range []string{"first", "", strings.Repeat("longer ", 5000), "last"} {
		put(t, b, "tree/object", data)
		holds(t, b, "tree/object", data)
	}
	lists(t, b, "", "tree/object")
}

func putIfAbsent(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	must(t, b.Put(ctx, "object", []byte("first"), bucket.IfAbsent))
	is(t, "the second", b.Put(ctx, "object", []byte("second"), bucket.IfAbsent), fs.ErrExist)
	holds(t, b, "object", "first")
	must(t, b.Delete(ctx, "object"))
	must(t, b.Put(ctx, "object", []byte("third"), bucket.IfAbsent))
	lists(t, b, "", "object")
}

// putIsAtomic reads while others replace: every read meets one version whole.
func putIsAtomic(t *testing.T, b bucket.Bucket) {
	version := func(i int) string { return strings.Repeat(string(rune('a'+i)), 1000+100*i) }
	put(t, b, "object", version(0))
	before, err := b.Open(t.Context(), "object")
	must(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 20 {
			if err := b.Put(t.Context(), "object", []byte(version(i)), bucket.Replace); err != nil {
				t.Error(err)
			}
		}
	})
	for range 50 {
		got := string(read(t, b, "object"))
		if got == "" || got != version(int(got[0]-'a')) {
			t.Errorf("read a mixture of %d bytes", len(got))
		}
	}
	wg.Wait()
	if got := readObject(t, before); string(got) != version(0) {
		t.Error("an object that was open changed under its reader")
	}
}

func listOrder(t *testing.T, b bucket.Bucket) {
	lists(t, b, "")
	lists(t, b, "absent/")
	// "." and "-" sort before "/", "0" after: the order is that of whole keys.
	all := []string{"a-b", "a.txt", "a/b!", "a/b.txt", "a/b/c", "a0", "ab/c", "b"}
	for i := range all {
		put(t, b, all[(i*3+1)%len(all)], "x")
	}
	lists(t, b, "", all...)
	lists(t, b, "a/", "a/b!", "a/b.txt", "a/b/c")
	lists(t, b, "a/b/", "a/b/c")
	lists(t, b, "b/")
	lists(t, b, "../")
}

func listInfo(t *testing.T, b bucket.Bucket) {
	started := time.Now().Add(-time.Minute)
	put(t, b, "object", "12345")
	for info, err := range b.List(t.Context(), "") {
		must(t, err)
		if info.Size != 5 || info.ModTime.Before(started) {
			t.Errorf("listed as %+v, want 5 bytes of now", info)
		}
	}
}

func listStops(t *testing.T, b bucket.Bucket) {
	for _, key := range []string{"a/1", "a/2", "b/1", "c"} {
		put(t, b, key, "")
	}
	seen := 0
	for _, err := range b.List(t.Context(), "") {
		must(t, err)
		seen++
		if seen == 2 {
			break
		}
	}
	if seen != 2 {
		t.Errorf("saw %d, want 2", seen)
	}
}

func deleteRepeats(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	must(t, b.Delete(ctx, "absent/object"))
	put(t, b, "a/1", "x")
	put(t, b, "a/2", "y")
	must(t, b.Delete(ctx, "a")) // a folder is no object
	must(t, b.Delete(ctx, "a/1"))
	must(t, b.Delete(ctx, "a/1"))
	lists(t, b, "", "a/2")
	_, err := b.Open(ctx, "a/1")
	is(t, "open after delete", err, fs.ErrNotExist)
}

func free(t *testing.T, b bucket.Bucket) {
	n, ok, err := b.Free(t.Context())
	must(t, err)
	if ok && n <= 0 {
		t.Errorf("%d bytes are free", n)
	}
}

func cancelled(t *testing.T, b bucket.Bucket) {
	put(t, b, "object", "x")
	s := stage(t, b, "tree", map[string]string{"a": "x"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	is(t, "Put", b.Put(ctx, "object", []byte("y"), bucket.Replace), context.Canceled)
	is(t, "Delete", b.Delete(ctx, "object"), context.Canceled)
	is(t, "RemoveTree", b.RemoveTree(ctx, "tree", marker), context.Canceled)
	is(t, "Commit", s.Commit(ctx, nil), context.Canceled)
	is(t, "stage.Remove", s.Remove(ctx, "a"), context.Canceled)
	_, err := b.Open(ctx, "object")
	is(t, "Open", err, context.Canceled)
	_, err = b.Stage(ctx, "other", bucket.StageOptions{Marker: marker})
	is(t, "Stage", err, context.Canceled)
	_, err = b.Clean(ctx)
	is(t, "Clean", err, context.Canceled)
	_, err = b.Lock(ctx, holdfast.Owner{})
	is(t, "Lock", err, context.Canceled)
	_, err = s.Create(ctx, "b")
	is(t, "stage.Create", err, context.Canceled)
	_, err = s.Open(ctx, "a")
	is(t, "stage.Open", err, context.Canceled)
	for _, err := range b.List(ctx, "") {
		is(t, "List", err, context.Canceled)
	}
	told := false
	for _, err := range b.Folders(ctx, "") {
		is(t, "Folders", err, context.Canceled)
		told = true
	}
	if !told {
		t.Error("Folders did not tell that its context was cancelled")
	}
	must(t, s.Abort(ctx))
	lists(t, b, "", "object")
	holds(t, b, "object", "x")
}
