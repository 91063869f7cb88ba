package chroma_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// hooked is a sink that lets something happen to the directory in the middle
// of a capture.
type hooked struct {
	*sourcetest.Sink
	create func(path string) // called when a file is begun, in whatever way
}

func (h hooked) Create(e holdfast.Entry) (holdfast.FileWriter, error) {
	h.create(e.Path)
	return h.Sink.Create(e)
}

func (h hooked) Reuse(e holdfast.Entry, stamp string) (bool, error) {
	h.create(e.Path)
	return h.Sink.Reuse(e, stamp)
}

// once runs f at the n-th file of a folder that is captured.
func once(folder string, n int, f func()) func(path string) {
	seen := 0
	return func(path string) {
		if strings.HasPrefix(path, filepath.Base(folder)+"/") {
			if seen++; seen == n {
				f()
			}
		}
	}
}

// Whatever happens to the folders while they are copied, what counts in the
// end is one instant.
func TestCapture_WhileFoldersComeAndGo(t *testing.T) {
	t.Parallel()
	original := newStage(t, chromatest.New)
	tests := []struct {
		name    string
		change  func(t *testing.T, s stage, folder string)
		records int64
		has     bool // the folder of notes is in the copy
	}{
		// Older servers remove the folder with its collection.
		{"collection and folder deleted", func(t *testing.T, s stage, folder string) {
			s.sql(t, "DELETE FROM collections WHERE name = 'notes'; DELETE FROM embeddings WHERE segment_id NOT IN (SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection); DELETE FROM segments WHERE collection NOT IN (SELECT id FROM collections);")
			if err := os.RemoveAll(folder); err != nil {
				t.Fatal(err)
			}
		}, 7, false},
		{"collection deleted, folder left behind", func(t *testing.T, s stage, folder string) {
			s.sql(t, "DELETE FROM collections WHERE name = 'notes'; DELETE FROM embeddings WHERE segment_id NOT IN (SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection); DELETE FROM segments WHERE collection NOT IN (SELECT id FROM collections);")
		}, 7, false},
		{"folder replaced by an equal one", func(t *testing.T, s stage, folder string) {
			moved := folder + ".moved"
			if err := os.Rename(folder, moved); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(folder, os.DirFS(moved)); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(moved); err != nil {
				t.Fatal(err)
			}
		}, noteCount + 7, true},
		{"a server writes and persists", func(t *testing.T, s stage, folder string) {
			server := chromatest.Start(t, s.version, s.dir)
			c := server.Client()
			col, err := c.Collection(t.Context(), notes)
			if err == nil {
				err = c.Add(t.Context(), col.ID, makeNotes(noteCount, 2*threshold))
			}
			if err == nil {
				col, err = c.Create(t.Context(), chromatest.CollectionSpec{Name: "arrived", SyncThreshold: 5})
			}
			if err == nil {
				err = c.Add(t.Context(), col.ID, makeNotes(0, 12))
			}
			if err := errors.Join(err, server.Stop()); err != nil {
				t.Fatal(err)
			}
		}, noteCount + 7 + 2*threshold + 12, true},
	}
	for _, tt := range tests {
		for n := range 4 {
			// The last is of files that are taken over from an earlier capture.
			again := n == 3
			t.Run(fmt.Sprintf("%s at file %d, again %v", tt.name, n+1, again), func(t *testing.T) {
				s := original.copyTo(t, filepath.Join(t.TempDir(), "live"))
				folder := s.folder(t, notes)
				sink := hooked{Sink: sourcetest.NewSink(t)}
				if again {
					sink.KeepFrom(sourcetest.Stamped(t, s.source(t)))
				}
				sink.create = once(folder, n+1, func() { tt.change(t, s, folder) })
				captured, err := s.source(t).Capture(t.Context(), sink)
				if err != nil {
					t.Fatal(err)
				}
				report, err := s.source(t).Check(t.Context(), sink.FS(), holdfast.CheckOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if problems := append(captured.Problems, report.Problems...); len(problems) > 0 {
					t.Errorf("problems %+v", problems)
				}
				if got := report.Facts.Chroma.Records; got != tt.records {
					t.Errorf("%d records, want %d", got, tt.records)
				}
				_, err = os.Stat(sink.Path(filepath.Base(folder)))
				if has := err == nil; has != tt.has {
					t.Errorf("the folder is in the copy: %v, want %v", has, tt.has)
				}
			})
		}
	}
}

// A directory that something other than a server rewrites all the time cannot
// be captured; the error says so, soon, and nothing stays open.
func TestCapture_GivesUpOnARestlessFolder(t *testing.T) {
	t.Parallel()
	s := newStage(t, chromatest.Old)
	name := filepath.Join(s.folder(t, notes), "header.bin")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				now := time.Now()
				if err := os.Chtimes(name, now, now); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	src := s.source(t)
	src.Impatient()
	sink := sourcetest.NewSink(t)
	_, err := src.Capture(t.Context(), sink)
	close(stop)
	<-stopped
	if !errors.Is(err, holdfast.ErrLocked) || !strings.Contains(err.Error(), "collection "+notes) || holdfast.HintOf(err) == "" {
		t.Errorf("got %v, want an error that names the collection, a hint, and a match of ErrLocked", err)
	}
	if left := sink.Unfinished(); len(left) > 0 {
		t.Errorf("left open: %v", left)
	}
}

func (s stage) sql(t *testing.T, statements string) {
	t.Helper()
	sourcetest.SQLite(t, filepath.Join(s.dir, "chroma.sqlite3"), statements)
}
