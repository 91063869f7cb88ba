package files

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

func peekSource(t *testing.T, dir string, o Options) *Source {
	t.Helper()
	s, err := New("docs", dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPeek_SeesWhatHappensInTheTree(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.MkdirAll(in("a/b/c"), 0o700), os.WriteFile(in("a/b/c/deep"), []byte("1"), 0o600), os.MkdirAll(in("cache"), 0o700)); err != nil {
		t.Fatal(err)
	}
	src := peekSource(t, dir, Options{Exclude: []string{"cache/", "*.tmp"}})
	for _, c := range []struct {
		what   string
		change func() error
	}{
		{"a new file", func() error { return os.WriteFile(in("a/new"), nil, 0o600) }},
		{"a new directory", func() error { return os.Mkdir(in("a/b/d"), 0o700) }},
		{"a link", func() error { return os.Symlink("b", in("a/link")) }},
		{"a link to elsewhere", func() error { return errors.Join(os.Remove(in("a/link")), os.Symlink("c", in("a/link"))) }},
		{"a file deep down", func() error { return os.WriteFile(in("a/b/c/deep"), []byte("2"), 0o600) }},
		{"permissions of a directory", func() error { return os.Chmod(in("a/b"), 0o750) }},
		{"a rename", func() error { return os.Rename(in("a/new"), in("a/b/new")) }},
		{"a removal", func() error { return os.Remove(in("a/b/new")) }},
	} {
		sourcetest.WantSeen(t, src, c.what, c.change)
	}
	before := sourcetest.Settle(t, src)
	if err := errors.Join(os.WriteFile(in("cache/x"), nil, 0o600), os.WriteFile(in("cache/y.tmp"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if after := sourcetest.Peek(t, src); after.State != before {
		t.Error("what is excluded moved the state")
	}
}

// A look that leaves out a part of the tree is trusted in nothing.
func TestPeek_IsNeverSettledOverWhatItCannotSeeWhole(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	src := peekSource(t, dir, Options{})
	sourcetest.Settle(t, src)
	if state, settled, err := src.peek(10); err != nil || !settled || state == "" {
		t.Errorf("as many entries as it may look at: %q, %v, %v", state, settled, err)
	}
	if state, settled, err := src.peek(9); err != nil || settled || state == "" {
		t.Errorf("one more: %q, %v, %v", state, settled, err)
	}
}
