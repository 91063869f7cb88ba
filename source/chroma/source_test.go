package chroma_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

func TestSource_HoldsTheContract(t *testing.T) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			original := newStage(t, v)
			if v == chromatest.New {
				// It stays, and nobody has the database open.
				original.sql(t, "PRAGMA journal_mode=wal;")
			}
			sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
				root := t.TempDir()
				s := original.copyTo(t, filepath.Join(root, "live"))
				photos := filepath.Join(root, "photos")
				write(t, filepath.Join(photos, "cat.jpg"), "meow")
				return sourcetest.Fixture{
					Source:     s.source(t),
					Missing:    stage{v, filepath.Join(root, "nowhere")}.source(t),
					Unreadable: stage{v, photos}.source(t),
					Roots:      []string{s.dir},
					Flippable:  []string{"chroma.sqlite3", filepath.Base(s.folder(t, notes)) + "/length.bin"},
					Damage: func(t *testing.T, dir string) {
						name := filepath.Join(dir, filepath.Base(s.folder(t, notes)), "index_metadata.pickle")
						if err := os.Truncate(name, 40); err != nil {
							t.Fatal(err)
						}
					},
				}
			})
		})
	}
}

// What Inspect says of the live directory, what Check says of its copy and
// what a server says are the same.
func TestInspect_CountsWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			s := newStage(t, v)
			src := s.source(t)
			got, err := src.Inspect(t.Context(), holdfast.InspectOptions{Counts: true})
			if err != nil {
				t.Fatal(err)
			}
			facts := got.Facts.Chroma
			if facts.Records != noteCount+7 || len(facts.Collections) != 3 {
				t.Errorf("%d records in %d collections, want %d in 3", facts.Records, len(facts.Collections), noteCount+7)
			}
			captured, sink := s.capture(t)
			report, err := src.Check(t.Context(), sink.FS(), holdfast.CheckOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if captured.Facts.Chroma.OrphanFolders != 1 {
				t.Errorf("%d folders left by deleted collections, want 1", captured.Facts.Chroma.OrphanFolders)
			}
			byName := map[string]holdfast.ChromaCollection{}
			for _, c := range facts.Collections {
				byName[c.Name] = c
			}
			for _, want := range report.Facts.Chroma.Collections {
				c := byName[want.Name]
				if c.Records != want.Records || c.Dimension != want.Dimension || c.Indexed != want.Indexed || c.Memory != want.Memory || c.ID != want.ID {
					t.Errorf("Inspect says %+v, Check %+v", c, want)
				}
			}
			got.Facts.Chroma.Schema.Release = report.Facts.Chroma.Schema.Release
			if facts.Schema != report.Facts.Chroma.Schema {
				t.Errorf("schema %+v, want %+v", facts.Schema, report.Facts.Chroma.Schema)
			}
		})
	}
}

// Only what belongs to collections is captured, and what is left out is told.
func TestCapture_LeavesOutWhatNobodyNames(t *testing.T) {
	t.Parallel()
	s := newStage(t, chromatest.New)
	write(t, filepath.Join(s.dir, "notes.txt"), "mine")
	write(t, filepath.Join(s.dir, "chroma.sqlite3.bak"), "old")
	captured, sink := s.capture(t)
	var names []string
	for name := range sink.Entries() {
		names = append(names, strings.Split(name, "/")[0])
	}
	slices.Sort(names)
	want := []string{".", "chroma.sqlite3", filepath.Base(s.folder(t, notes)), filepath.Base(s.folder(t, settings))}
	slices.Sort(want)
	if got := slices.Compact(names); !slices.Equal(got, want) {
		t.Errorf("captured %v, want %v", got, want)
	}
	if len(captured.Problems) != 1 || captured.Problems[0].Severity != holdfast.Warning ||
		!strings.Contains(captured.Problems[0].Message, "chroma.sqlite3.bak, notes.txt") {
		t.Errorf("problems %+v, want one warning that names the two files", captured.Problems)
	}
}

// Times and modes come with the files: the rule by which a folder counts as
// complete needs them after a restore.
func TestCapture_KeepsTimesAndModes(t *testing.T) {
	t.Parallel()
	s := newStage(t, chromatest.Old)
	for name, mode := range map[string]os.FileMode{s.dir: 0o710, filepath.Join(s.dir, "chroma.sqlite3"): 0o640, s.folder(t, notes): 0o750} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	_, sink := s.capture(t)
	for name, e := range sink.Entries() {
		info, err := os.Stat(filepath.Join(s.dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if !e.ModTime.Equal(info.ModTime()) || e.Mode != info.Mode() {
			t.Errorf("%s: %v %v, want %v %v", name, e.ModTime, e.Mode, info.ModTime(), info.Mode())
		}
	}
}

func TestCapture_RefusesWhatIsNotChroma(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(t *testing.T, dir string)
		kind error
		say  string
	}{
		{"missing", func(*testing.T, string) {}, holdfast.ErrNotFound, "does not exist"},
		{"empty directory", func(t *testing.T, dir string) { mkdir(t, dir) }, holdfast.ErrNotFound, "it is empty"},
		{"a file", func(t *testing.T, dir string) { write(t, dir, "text") }, holdfast.ErrUsage, "a file, not a directory"},
		{"a link to nowhere", func(t *testing.T, dir string) { symlink(t, "nowhere", dir) }, holdfast.ErrNotFound, "leads nowhere"},
		{"photos", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "cat.jpg"), "x") }, holdfast.ErrNotFound, "no chroma.sqlite3"},
		{"empty database", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "chroma.sqlite3"), "") }, holdfast.ErrNotFound, "is empty"},
		{"database is a directory", func(t *testing.T, dir string) { mkdir(t, filepath.Join(dir, "chroma.sqlite3")) }, holdfast.ErrUsage, "not a file"},
		{"text for a database", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "chroma.sqlite3"), strings.Repeat("text ", 1000))
		}, nil, "SQLite"},
		{"another application's database", func(t *testing.T, dir string) {
			mkdir(t, dir)
			sourcetest.SQLite(t, filepath.Join(dir, "chroma.sqlite3"), "CREATE TABLE orders(id);")
		}, holdfast.ErrUsage, "does not have Chroma's tables"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			tt.make(t, dir)
			sink := sourcetest.NewSink(t)
			_, err := stage{dir: dir}.source(t).Capture(t.Context(), sink)
			if err == nil || !strings.Contains(err.Error(), tt.say) || !strings.Contains(err.Error(), dir) {
				t.Fatalf("got %v, want an error about %s that says %q", err, dir, tt.say)
			}
			if tt.kind != nil && !errors.Is(err, tt.kind) {
				t.Errorf("%v does not match %v", err, tt.kind)
			}
			if holdfast.HintOf(err) == "" {
				t.Errorf("%v has no hint", err)
			}
			if len(sink.Entries()) > 0 || len(sink.Unfinished()) > 0 {
				t.Errorf("it left %v %v behind", sink.Entries(), sink.Unfinished())
			}
		})
	}
}

// While nobody writes, the lock is held to look and not to copy.
func TestCapture_OfAQuietDirectoryCopiesAheadOfTheLock(t *testing.T) {
	t.Parallel()
	s := newStage(t, chromatest.Old)
	captured, sink := s.capture(t)
	if !strings.HasPrefix(captured.Method, "optimistic") || sink.Resets("chroma.sqlite3") != 0 {
		t.Errorf("method %q, %d passes were thrown away", captured.Method, sink.Resets("chroma.sqlite3"))
	}
}

// A directory that is reached through a link is captured as if it were there.
func TestCapture_FollowsALink(t *testing.T) {
	t.Parallel()
	s := newStage(t, chromatest.Old)
	link := filepath.Join(t.TempDir(), "link")
	symlink(t, s.dir, link)
	_, direct := s.capture(t)
	_, linked := stage{s.version, link}.capture(t)
	if got, want := sourcetest.Fingerprint(t, linked.Dir), sourcetest.Fingerprint(t, direct.Dir); !maps.Equal(relative(got, linked.Dir), relative(want, direct.Dir)) {
		t.Errorf("through a link %v, directly %v", got, want)
	}
}

func TestNew_Refuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, dir string }{{"", "dir"}, {"../up", "dir"}, {"chromadb", ""}} {
		if _, err := chroma.New(tt.name, tt.dir, chroma.Options{}); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("New(%q, %q) = %v, want wrong usage", tt.name, tt.dir, err)
		}
	}
}

// The memory is read from the captured copy, in the shape of Chroma's get.
func TestExportMemory_OfACapture(t *testing.T) {
	t.Parallel()
	s := newStage(t, chromatest.New)
	_, sink := s.capture(t)
	src := s.source(t)
	var out bytes.Buffer
	info, err := src.ExportMemory(t.Context(), sink.FS(), notes, &out)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		IDs        []string    `json:"ids"`
		Embeddings [][]float32 `json:"embeddings"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if info.Source != "chromadb" || info.Records != noteCount || len(got.IDs) != noteCount || len(got.Embeddings) != noteCount {
		t.Errorf("%+v and %d ids, want %d records", info, len(got.IDs), noteCount)
	}
	if _, err := src.ExportMemory(t.Context(), sink.FS(), "no such", &out); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("a collection that does not exist: %v", err)
	}
}

func relative(m map[string]string, dir string) map[string]string {
	out := map[string]string{}
	for name, v := range m {
		out[strings.TrimPrefix(name, dir)] = v
	}
	return out
}

func write(t *testing.T, name, text string) {
	t.Helper()
	mkdir(t, filepath.Dir(name))
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}
