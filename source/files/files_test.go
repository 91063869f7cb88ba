package files_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/files"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// tree is a directory of files for a test, by path; a path that ends in a
// slash is a directory, content that starts with "->" a link.
func tree(t *testing.T, entries map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range entries {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(p, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		if link, ok := strings.CutPrefix(content, "->"); ok {
			must(t, os.Symlink(link, p))
			continue
		}
		must(t, os.WriteFile(p, []byte(content), 0o644))
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newSource(t *testing.T, path string, o files.Options) *files.Source {
	t.Helper()
	s, err := files.New("notes", path, o)
	must(t, err)
	return s
}

// capture captures and returns the sink and what was said.
func capture(t *testing.T, path string, o files.Options) (*sourcetest.Sink, holdfast.Captured) {
	t.Helper()
	sink := sourcetest.NewSink(t)
	c, err := newSource(t, path, o).Capture(t.Context(), sink)
	must(t, err)
	if open := sink.Unfinished(); len(open) > 0 {
		t.Fatalf("writers left open: %v", open)
	}
	return sink, c
}

// problem wants one problem about object, and gives it.
func problem(t *testing.T, c holdfast.Captured, object string) holdfast.Problem {
	t.Helper()
	for _, p := range c.Problems {
		if p.Object == object {
			return p
		}
	}
	t.Fatalf("no problem names %s: %+v", object, c.Problems)
	return holdfast.Problem{}
}

func content(t *testing.T, sink *sourcetest.Sink, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(sink.Path(name))
	must(t, err)
	return b
}

func noise(n int) string {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	r.Read(b)
	return string(b)
}

func TestSource_Contract(t *testing.T) {
	t.Run("tree", func(t *testing.T) {
		sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
			dir := tree(t, map[string]string{"a.bin": noise(300 << 10), "sub/b.txt": "b", "sub/link": "->b.txt", "empty/": ""})
			return sourcetest.Fixture{
				Source:    newSource(t, dir, files.Options{}),
				Missing:   newSource(t, filepath.Join(dir, "nothing"), files.Options{}),
				Roots:     []string{dir},
				Flippable: []string{"a.bin", "sub/b.txt"},
			}
		})
	})
	t.Run("file", func(t *testing.T) {
		sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
			dir := tree(t, map[string]string{"app.bin": noise(300 << 10), "other": "not captured"})
			return sourcetest.Fixture{
				Source:    newSource(t, filepath.Join(dir, "app.bin"), files.Options{}),
				Missing:   newSource(t, filepath.Join(dir, "nothing"), files.Options{}),
				Roots:     []string{dir},
				Flippable: []string{"app.bin"},
			}
		})
	})
}

func TestCapture_KeepsWhatTheTreeIs(t *testing.T) {
	dir := tree(t, map[string]string{
		"plain.txt":    "hello",
		"empty.txt":    "",
		"empty/":       "",
		"deep/er/file": "x",
		"ชื่อไทย/یادداشت.txt": "names",
		"with space": "y",
		"new\nline":  "z",
		"inside":     "->plain.txt",
		"outside":    "->/etc/passwd",
		"dangling":   "->nowhere",
		"loop":       "->.",
	})
	at := time.Date(2001, 2, 3, 4, 5, 6, 123456789, time.UTC)
	must(t, os.Chmod(filepath.Join(dir, "plain.txt"), 0o751))
	must(t, os.Chtimes(filepath.Join(dir, "plain.txt"), at, at))
	must(t, os.Chmod(filepath.Join(dir, "empty"), 0o700))
	must(t, os.Link(filepath.Join(dir, "plain.txt"), filepath.Join(dir, "hard")))

	sink, c := capture(t, dir, files.Options{})
	if len(c.Problems) > 0 {
		t.Errorf("problems: %+v", c.Problems)
	}
	entries := sink.Entries()
	if e := entries["plain.txt"]; e.Mode != 0o751 || !e.ModTime.Equal(at) || e.Size != 5 {
		t.Errorf("plain.txt is recorded as %+v", e)
	}
	if e := entries["empty"]; e.Mode != fs.ModeDir|0o700 {
		t.Errorf("empty is recorded as %+v", e)
	}
	for name, link := range map[string]string{"inside": "plain.txt", "outside": "/etc/passwd", "dangling": "nowhere", "loop": "."} {
		if e := entries[name]; e.Mode.Type() != fs.ModeSymlink || e.Link != link {
			t.Errorf("%s is recorded as %+v, want a link to %s", name, e, link)
		}
	}
	for name, want := range map[string]string{
		"plain.txt": "hello", "hard": "hello", "empty.txt": "", "deep/er/file": "x",
		"ชื่อไทย/یادداشت.txt": "names", "with space": "y", "new\nline": "z",
	} {
		if got := string(content(t, sink, name)); got != want {
			t.Errorf("%q holds %q, want %q", name, got, want)
		}
	}
	want := holdfast.FilesFacts{Files: 7, Dirs: 4, Symlinks: 4, Bytes: 5 + 5 + 1 + 5 + 1 + 1}
	if *c.Facts.Files != want {
		t.Errorf("facts are %+v, want %+v", *c.Facts.Files, want)
	}
	report, err := newSource(t, dir, files.Options{}).Check(t.Context(), sink.FS(), holdfast.CheckOptions{})
	must(t, err)
	if *report.Facts.Files != want {
		t.Errorf("Check counts %+v, want %+v", *report.Facts.Files, want)
	}
	seen, err := newSource(t, dir, files.Options{}).Inspect(t.Context(), holdfast.InspectOptions{Counts: true})
	must(t, err)
	if *seen.Facts.Files != want || seen.Bytes != want.Bytes {
		t.Errorf("Inspect counts %+v, want %+v", seen, want)
	}
}

func TestCapture_LargeFileByteForByte(t *testing.T) {
	want := noise(3<<20 + 17)
	dir := tree(t, map[string]string{"big": want})
	sink, _ := capture(t, dir, files.Options{})
	if !bytes.Equal(content(t, sink, "big"), []byte(want)) {
		t.Error("the copy differs")
	}
}

func TestCapture_Exclude(t *testing.T) {
	all := map[string]string{
		"keep.txt": "1", "a.tmp": "2", "sub/b.tmp": "3", "sub/keep.txt": "4", "cache/x": "5",
		"sub/cache/y": "6", "build/output/z": "7", "sub/build/output/w": "8", "sub/cachefile": "9",
	}
	sink, c := capture(t, tree(t, all), files.Options{Exclude: []string{"*.tmp", "cache/", "/build/output"}})
	var got []string
	for name, e := range sink.Entries() {
		if e.Mode.IsRegular() {
			got = append(got, name)
			if string(content(t, sink, name)) != all[name] {
				t.Errorf("%s differs", name)
			}
		}
	}
	want := map[string]bool{"keep.txt": true, "sub/keep.txt": true, "sub/build/output/w": true, "sub/cachefile": true}
	if len(got) != len(want) {
		t.Errorf("captured %v, want %v", got, want)
	}
	for _, name := range got {
		if !want[name] {
			t.Errorf("%s was not left out", name)
		}
	}
	if c.Method != "tree walk, 5 excluded" {
		t.Errorf("method %q does not tell what was left out", c.Method)
	}
}

func TestCapture_SymlinkToTheSourceIsFollowed(t *testing.T) {
	dir := tree(t, map[string]string{"real/f": "1", "link": "->real", "file-link": "->real/f"})
	sink, _ := capture(t, filepath.Join(dir, "link"), files.Options{})
	if string(content(t, sink, "f")) != "1" {
		t.Error("the tree behind the link was not captured")
	}
	sink, _ = capture(t, filepath.Join(dir, "file-link"), files.Options{})
	if e := sink.Entries()["file-link"]; !e.Mode.IsRegular() || string(content(t, sink, "file-link")) != "1" {
		t.Errorf("the file behind the link was not captured under the configured name: %+v", sink.Entries())
	}
}

func TestNew_RefusesBadInput(t *testing.T) {
	for _, c := range []struct {
		name, path string
		exclude    []string
	}{
		{"../x", "/tmp", nil},
		{"ok", "", nil},
		{"ok", "/tmp", []string{"[a"}},
		{"ok", "/tmp", []string{"/"}},
		{"ok", "/tmp", []string{""}},
	} {
		_, err := files.New(c.name, c.path, files.Options{Exclude: c.exclude})
		if !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("New(%q, %q, %q) gives %v, want wrong usage", c.name, c.path, c.exclude, err)
		}
	}
}

func TestTarget_WhatExistsDecidesElseTheBackup(t *testing.T) {
	dir := tree(t, map[string]string{"f": "1"})
	single := holdfast.Facts{Files: &holdfast.FilesFacts{Single: true}}
	for _, c := range []struct {
		path             string
		now, tree, alone string // the name of the file, empty for a tree
	}{
		{path: dir, now: "", alone: filepath.Base(dir)},
		{path: filepath.Join(dir, "f"), now: "f", alone: "f"},
		{path: filepath.Join(dir, "new"), now: "", alone: "new"},
	} {
		s := newSource(t, c.path, files.Options{})
		for what, is := range map[string]struct {
			got  holdfast.Target
			want string
		}{
			"now":                {s.Target(), c.now},
			"as it was a tree":   {s.TargetFor(holdfast.Facts{Files: &holdfast.FilesFacts{}}), c.tree},
			"as it was one file": {s.TargetFor(single), c.alone},
		} {
			if is.got.File != is.want || is.got.Dir != (is.want == "") || is.got.Path != c.path {
				t.Errorf("target of %s %s is %+v, want file %q", c.path, what, is.got, is.want)
			}
		}
	}
}
