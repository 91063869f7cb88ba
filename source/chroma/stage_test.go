package chroma_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// A stage is a Chroma directory made by a real server that has been stopped.
type stage struct {
	version chromatest.Version
	dir     string
}

// What the server wrote to every stage.
const (
	notes     = "notes"   // persisted twice, then some records only in the log
	settings  = "setup"   // records only in the log, no index yet
	untouched = "nothing" // never written: no folder
	dropped   = "dropped" // deleted: its folder stays behind

	noteCount = 95
	threshold = 20
)

// newStage makes a directory with a name that people use and programs dislike.
func newStage(t *testing.T, v chromatest.Version) stage {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ข้อมูล chroma خانه")
	s := chromatest.Start(t, v, dir)
	c, ctx := s.Client(), t.Context()
	for _, name := range []string{notes, settings, untouched, dropped} {
		col, err := c.Create(ctx, chromatest.CollectionSpec{Name: name, Space: "cosine", SyncThreshold: threshold})
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{notes: noteCount, settings: 7, dropped: 30}[name]
		for first := 0; first < count; first += 10 {
			if err := c.Add(ctx, col.ID, makeNotes(first, min(10, count-first))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Drop(ctx, dropped); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	return stage{v, dir}
}

func makeNotes(first, n int) []chromatest.Record {
	var out []chromatest.Record
	for i := first; i < first+n; i++ {
		embedding := make([]float32, 16)
		for d := range embedding {
			embedding[d] = float32((i*31+d*17)%23) - 11
		}
		out = append(out, chromatest.Record{
			ID:        fmt.Sprintf("note-%03d", i),
			Document:  new(fmt.Sprintf("note %d, written on day %d", i, i%7) + strings.Repeat(".", 400)),
			Metadata:  map[string]any{"day": i % 7},
			Embedding: embedding,
		})
	}
	return out
}

// copyTo copies the stage as a careful person would: with the times of files.
func (s stage) copyTo(t *testing.T, dir string) stage {
	t.Helper()
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(s.dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return os.Chtimes(filepath.Join(dir, strings.TrimPrefix(p, s.dir)), info.ModTime(), info.ModTime())
	})
	if err != nil {
		t.Fatal(err)
	}
	return stage{s.version, dir}
}

func (s stage) source(t *testing.T) *chroma.Source {
	t.Helper()
	src, err := chroma.New("chromadb", s.dir, chroma.Options{MemoryCollections: []string{notes}, RAGMode: "enhanced"})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// folder is the index folder of a collection.
func (s stage) folder(t *testing.T, collection string) string {
	t.Helper()
	id := strings.TrimSpace(sourcetest.SQLite(t, filepath.Join(s.dir, "chroma.sqlite3"), fmt.Sprintf(
		"SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection WHERE s.scope = 'VECTOR' AND c.name = '%s';", collection)))
	if len(id) != 36 {
		t.Fatalf("collection %s has the folder %q", collection, id)
	}
	return filepath.Join(s.dir, id)
}

// capture captures the stage into a new sink.
func (s stage) capture(t *testing.T) (holdfast.Captured, *sourcetest.Sink) {
	t.Helper()
	sink := sourcetest.NewSink(t)
	captured, err := s.source(t).Capture(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	if left := sink.Unfinished(); len(left) > 0 {
		t.Fatalf("writers left open: %v", left)
	}
	return captured, sink
}

// check holds a copy to the source's own check.
func (s stage) check(t *testing.T, copy fs.FS) []holdfast.Problem {
	t.Helper()
	report, err := s.source(t).Check(t.Context(), copy, holdfast.CheckOptions{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	return report.Problems
}
