package buckettest

import (
	"io"
	"io/fs"
	"testing"

	"github.com/holdfast-backup/holdfast/bucket"
)

// resumable begins or resumes a stage.
func resumable(t *testing.T, b bucket.Bucket, prefix string) bucket.Stage {
	t.Helper()
	s, err := b.Stage(t.Context(), prefix, bucket.StageOptions{Marker: marker, Resume: true})
	must(t, err)
	return s
}

// has tells whether a stage has an object, and reads it.
func has(t *testing.T, s bucket.Stage, key, want string) {
	t.Helper()
	o, err := s.Open(t.Context(), key)
	must(t, err)
	if got := readObject(t, o); string(got) != want {
		t.Errorf("%s holds %q, want %q", key, got, want)
	}
}

func resume(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	first := resumable(t, b, "deep/tree")
	for _, key := range []string{"a", "sub/b", "sub/deep/c"} {
		must(t, write(ctx, first, key, "first "+key))
	}
	w, err := first.Create(ctx, "half")
	must(t, err)
	_, err = io.WriteString(w, "half an object")
	must(t, err)
	// The first is given up here, as by a process that ended.
	second := resumable(t, b, "deep/tree")
	if err := first.Commit(ctx, nil); err == nil {
		t.Error("the stage that was given up was committed")
	}
	lists(t, b, "")
	has(t, second, "a", "first a")
	has(t, second, "sub/deep/c", "first sub/deep/c")
	for _, key := range []string{"half", marker, "absent"} {
		_, err := second.Open(ctx, key)
		is(t, key, err, fs.ErrNotExist)
	}
	must(t, write(ctx, second, "sub/b", "second"))
	must(t, write(ctx, second, "half", "whole"))
	must(t, write(ctx, second, "new/d", "second"))
	must(t, second.Remove(ctx, "a"))
	must(t, second.Commit(ctx, []byte("committed")))
	lists(t, b, "", "deep/tree/half", "deep/tree/"+marker, "deep/tree/new/d", "deep/tree/sub/b", "deep/tree/sub/deep/c")
	holds(t, b, "deep/tree/sub/b", "second")
	holds(t, b, "deep/tree/half", "whole")
	third := resumable(t, b, "deep/tree")
	is(t, "commit onto what was committed", third.Commit(ctx, nil), fs.ErrExist)
	must(t, third.Abort(ctx))
	if left, err := b.Clean(ctx); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q (%v)", left, err)
	}
	holds(t, b, "deep/tree/sub/b", "second")
}

func resumeOfOthers(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	plain := stage(t, b, "plain", map[string]string{"a": "A"})
	s := resumable(t, b, "plain")
	_, err := s.Open(ctx, "a")
	is(t, "an object of a stage that cannot be resumed", err, fs.ErrNotExist)
	must(t, s.Abort(ctx))
	must(t, plain.Abort(ctx))

	other := resumable(t, b, "other")
	must(t, write(ctx, other, "a", "A"))
	fresh, err := b.Stage(ctx, "other", bucket.StageOptions{Marker: marker})
	must(t, err)
	_, err = fresh.Open(ctx, "a")
	is(t, "an object that was not asked for", err, fs.ErrNotExist)
	must(t, fresh.Abort(ctx))
	beside := resumable(t, b, "others")
	_, err = beside.Open(ctx, "a")
	is(t, "an object of another prefix", err, fs.ErrNotExist)
	must(t, beside.Abort(ctx))
	lists(t, b, "")
}

func resumeKept(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	must(t, write(ctx, resumable(t, b, "tree"), "a", "A"))
	for range 2 {
		left, err := b.Clean(ctx)
		must(t, err)
		if len(left) > 0 {
			t.Errorf("Clean removed %q of a stage that can be resumed", left)
		}
	}
	s := resumable(t, b, "tree")
	has(t, s, "a", "A")
	must(t, s.Abort(ctx))
	again := resumable(t, b, "tree")
	_, err := again.Open(ctx, "a")
	is(t, "after Abort", err, fs.ErrNotExist)
	must(t, write(ctx, again, "b", "B"))
	must(t, again.Commit(ctx, nil))
	lists(t, b, "", "tree/b", "tree/"+marker)
}
