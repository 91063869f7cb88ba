package chroma_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// recordsOf makes the records form out of a captured directory.
func recordsOf(t *testing.T, s stage, copied fs.FS) string {
	t.Helper()
	sink := sourcetest.NewSink(t)
	problems, err := s.source(t).ExportRecords(t.Context(), copied, sink)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	return sink.Dir
}

// A directory is made out of records by a server, and holds what the records say; a
// drill of records makes one, too, and asks about it.
func TestBuild_MakesADirectoryOfRecords(t *testing.T) {
	t.Parallel()
	s := newStage(t, chromatest.New)
	awkward(t, s)
	_, sink := s.capture(t)
	tree := recordsOf(t, s, sink.FS())
	src := s.source(t)
	command := chromatest.ShellCommand(t, chromatest.New)

	built := filepath.Join(t.TempDir(), "built")
	if err := os.Mkdir(built, 0o700); err != nil {
		t.Fatal(err)
	}
	var done, total int64
	original, err := src.Check(t.Context(), sink.FS(), holdfast.CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := src.Build(t.Context(), os.DirFS(tree), built, command, func(d, all int64) { done, total = d, all })
	// What SQLite's own check says of texts with a zero byte in them, it says of both.
	if err != nil || fmt.Sprint(problems) != fmt.Sprint(original.Problems) {
		t.Fatalf("%v %v, and of the original %v", problems, err, original.Problems)
	}
	if total == 0 || done != total {
		t.Errorf("told of %d of %d records", done, total)
	}
	wantSameContent(t, os.DirFS(built), os.DirFS(tree))

	var q bytes.Buffer
	if n, err := src.Questions(t.Context(), os.DirFS(tree), &q); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if err := os.CopyFS(dir, os.DirFS(tree)); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"", command} {
		answers, err := src.Rehearse(t.Context(), dir, line, bytes.NewReader(q.Bytes()))
		if err != nil || len(answers) == 0 {
			t.Fatal(answers, err)
		}
		for _, a := range answers {
			if !a.OK {
				t.Errorf("a false alarm with command %q: %+v", line, a)
			}
		}
	}
	if !src.MustBuild(holdfast.Facts{Chroma: &holdfast.ChromaFacts{Server: &holdfast.ChromaServer{}}}) || src.MustBuild(holdfast.Facts{Chroma: &holdfast.ChromaFacts{}}) {
		t.Error("what must be built are captures by requests, and no others")
	}
	if _, err := src.Build(t.Context(), os.DirFS(tree), t.TempDir(), "exit 7", nil); err == nil || holdfast.HintOf(err) == "" {
		t.Errorf("a command that starts no server: %v", err)
	}
}

// wantSameContent compares two copies record by record.
func wantSameContent(t *testing.T, got, want fs.FS) {
	t.Helper()
	read := func(f fs.FS) map[string]disk.Record {
		c, err := content.Open(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		out := map[string]disk.Record{}
		for _, col := range c.Collections() {
			for r, err := range c.Records(t.Context(), col, disk.Everything) {
				if err != nil {
					t.Fatal(err)
				}
				out[col.Tenant+"/"+col.Database+"/"+col.Name+"/"+r.ID] = r
			}
		}
		return out
	}
	g, w := read(got), read(want)
	if len(g) != len(w) || len(w) == 0 {
		t.Errorf("%d records, want %d", len(g), len(w))
	}
	for key, r := range w {
		if len(g[key].Embedding) != len(r.Embedding) || len(g[key].Metadata) != len(r.Metadata) || (g[key].Document == nil) != (r.Document == nil) {
			t.Errorf("%s: got %+v, want %+v", key, g[key], r)
			return
		}
	}
}

var _ holdfast.Builder = (*chroma.Source)(nil)
