package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/files"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

func openInside(t *testing.T, dir string) holdfast.Inside {
	t.Helper()
	in, err := newSource(t, dir, files.Options{}).Look(t.Context(), os.DirFS(dir))
	must(t, err)
	return in
}

func TestLook_KeepsTheContract(t *testing.T) {
	dir := tree(t, map[string]string{
		"a/b/c.txt": "Grüße aus c", "a/b.txt": "b", "a.txt": "hello there", "a b/x": "spaces", "empty/": "",
		"link": "->a.txt", "photo.bin": "\x00\x01binary", "ключ.md": "текст", "z/\n": "a line in a name", "none": "",
	})
	sourcetest.RunLook(t, sourcetest.LookFixture{
		Source: newSource(t, dir, files.Options{}), Copy: os.DirFS(dir), Roots: []string{dir},
		Unsearched: []string{"kind", "mode", "time"},
	})
	single := filepath.Join(dir, "a.txt")
	copied := tree(t, map[string]string{"a.txt": "hello there"})
	sourcetest.RunLook(t, sourcetest.LookFixture{
		Source: newSource(t, single, files.Options{}), Copy: os.DirFS(copied), Unsearched: []string{"kind", "mode", "time"},
	})
}

// content gives the content field of a row.
func contentOf(r holdfast.Row) (holdfast.Field, bool) {
	last := r.Fields[len(r.Fields)-1]
	return last, last.Name == "content"
}

func TestLook_ShowsTheBeginningOfTexts(t *testing.T) {
	long := strings.Repeat("ж", 50_000)
	in := openInside(t, tree(t, map[string]string{"short": "short", "long": "x" + long, "binary": "a\x00b", "late": strings.Repeat("a", 9000) + "\x00"}))
	row := func(name string) holdfast.Row {
		r, err := in.Row(t.Context(), "files", name)
		must(t, err)
		return r
	}
	if f, ok := contentOf(row("short")); !ok || f.Value != "short" || f.Length != 0 {
		t.Errorf("short: %+v", f)
	}
	f, ok := contentOf(row("long"))
	if text, _ := f.Value.(string); !ok || f.Length != 100_001 || len(text) != 64<<10-1 || !strings.HasPrefix("x"+long, text) {
		t.Errorf("long: %d bytes, %v", f.Length, ok)
	}
	if f, ok := contentOf(row("binary")); ok {
		t.Errorf("bytes are shown as text: %+v", f)
	}
	for _, name := range []string{"../short", "/short", ".", "nothing", "short/x"} {
		if _, err := in.Row(t.Context(), "files", name); err == nil || name != "short/x" && !errors.Is(err, holdfast.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSearch_LooksInTextsAndNotInBytes(t *testing.T) {
	in := openInside(t, tree(t, map[string]string{
		"deep/far.txt": strings.Repeat("nothing here\n", 20_000) + "the НИТЬ in the hay" + strings.Repeat(".", 100_000),
		"bytes.bin":    "\x00\x00 the нить in bytes", "нить.txt": "", "other.txt": "nothing", "away": "->over/the/нить",
	}))
	var got []string
	for h, err := range in.Search(t.Context(), holdfast.SearchQuery{Text: "нить"}) {
		must(t, err)
		got = append(got, h.Key+" "+h.Field+" "+h.Snippet[h.At:h.At+h.Length])
	}
	if want := "away link нить,deep/far.txt content НИТЬ,нить.txt path нить"; strings.Join(got, ",") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ","), want)
	}
}
