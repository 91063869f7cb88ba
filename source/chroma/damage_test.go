package chroma_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// A damaged index is captured as it is and reported, by capture and check; the
// other collections are not accused.
func TestCapture_ReportsADamagedSource(t *testing.T) {
	t.Parallel()
	original := newStage(t, chromatest.New)
	tests := []struct {
		name string
		harm func(t *testing.T, folder string)
	}{
		{"pickle cut", func(t *testing.T, folder string) { cut(t, filepath.Join(folder, "index_metadata.pickle"), 40) }},
		{"pickle empty", func(t *testing.T, folder string) { cut(t, filepath.Join(folder, "index_metadata.pickle"), 0) }},
		{"vectors cut", func(t *testing.T, folder string) { cut(t, filepath.Join(folder, "data_level0.bin"), 500) }},
		{"vectors missing", func(t *testing.T, folder string) {
			if err := os.Remove(filepath.Join(folder, "data_level0.bin")); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := original.copyTo(t, filepath.Join(t.TempDir(), "live"))
			folder := s.folder(t, notes)
			tt.harm(t, folder)
			s.wantDamaged(t, folder)
		})
	}
}

// A database whose pages are damaged is captured as it is, with every folder:
// it is what a restore replaces, and perhaps somebody's last copy.
func TestCapture_OfADamagedDatabase(t *testing.T) {
	t.Parallel()
	original := newStage(t, chromatest.New)
	tests := []struct {
		name string
		page int // from 1
	}{{"table of contents", 1}, {"table of segments", original.rootPage(t, "segments")}, {"table of records", original.rootPage(t, "embeddings")}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := original.copyTo(t, filepath.Join(t.TempDir(), "live"))
			folder := filepath.Base(s.folder(t, notes))
			scribble(t, filepath.Join(s.dir, "chroma.sqlite3"), tt.page)
			seen, err := s.source(t).Inspect(t.Context(), holdfast.InspectOptions{Counts: true})
			if err != nil || !seen.Exists || seen.Bytes == 0 {
				t.Errorf("Inspect = %+v, %v, want that it exists", seen, err)
			}
			captured, sink := s.capture(t)
			for _, name := range []string{"chroma.sqlite3", folder + "/index_metadata.pickle"} {
				want, err := os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(name)))
				if err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(sink.Path(name)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: captured otherwise than it is: %v", name, err)
				}
			}
			found := append(captured.Problems, s.check(t, sink.FS())...)
			if !slices.ContainsFunc(found, func(p holdfast.Problem) bool { return p.Severity == holdfast.Damaged }) {
				t.Errorf("the damage is not reported: %+v", found)
			}
		})
	}
}

// rootPage is the number of the first page of a table.
func (s stage) rootPage(t *testing.T, table string) int {
	t.Helper()
	return int(sourcetest.SQLiteInt(t, filepath.Join(s.dir, "chroma.sqlite3"), "SELECT rootpage FROM sqlite_master WHERE name = '"+table+"';"))
}

// scribble writes over a page, leaving the header of the file.
func scribble(t *testing.T, name string, page int) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 4096-100), int64(page-1)*4096+100); err != nil {
		t.Fatal(err)
	}
	if page > 1 {
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 100), int64(page-1)*4096); err != nil {
			t.Fatal(err)
		}
	}
}

// A header that is older than the data makes a server end as soon as it
// touches the collection.
func TestCapture_ReportsAnOlderHeader(t *testing.T) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			s := newStage(t, v)
			folder := s.folder(t, notes)
			header := filepath.Join(folder, "header.bin")
			old, err := os.ReadFile(header)
			if err != nil {
				t.Fatal(err)
			}
			server := chromatest.Start(t, v, s.dir)
			c := server.Client()
			col, err := c.Collection(t.Context(), notes)
			if err == nil {
				err = c.Add(t.Context(), col.ID, makeNotes(noteCount, 2*threshold))
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Stop(); err != nil {
				t.Fatal(err)
			}
			if now, err := os.ReadFile(header); err != nil || bytes.Equal(now, old) {
				t.Fatalf("the server did not persist (%v)", err)
			}
			if err := os.WriteFile(header, old, 0o644); err != nil {
				t.Fatal(err)
			}
			s.wantDamaged(t, folder)
		})
	}
}

// wantDamaged wants notes, and nothing else, reported as damaged, and the
// folder captured byte for byte.
func (s stage) wantDamaged(t *testing.T, folder string) {
	t.Helper()
	captured, sink := s.capture(t)
	checked := s.check(t, sink.FS())
	if !slices.Equal(captured.Problems, checked) {
		t.Errorf("capture says %+v, check says %+v: told twice", captured.Problems, checked)
	}
	for name, problems := range map[string][]holdfast.Problem{"capture": captured.Problems, "check": checked} {
		if len(problems) != 1 {
			t.Fatalf("%s: problems %+v, want one", name, problems)
		}
		p := problems[0]
		if p.Severity != holdfast.Damaged || p.Source != "chromadb" || p.Object != "collection "+notes ||
			!strings.Contains(p.Message, filepath.Base(folder)) || p.Hint == "" {
			t.Errorf("%s: %+v does not name the damaged collection and folder", name, p)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		want, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(sink.Path(filepath.Base(folder) + "/" + e.Name()))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: captured otherwise than it is: %v", e.Name(), err)
		}
	}
}

// A server killed in the middle of anything leaves a directory that is either
// sound, and then the capture is, or damaged, and then the capture says so.
func TestCapture_AfterAKill(t *testing.T) {
	t.Parallel()
	for i := range 6 {
		v := chromatest.Versions()[i%2]
		dir := chromatest.LiveDir(t, true)
		server := chromatest.Start(t, v, dir)
		load := chromatest.StartLoad(t, server, chromatest.LoadOptions{Churn: true, SyncThreshold: 5, Records: 60})
		load.Await(t, 40)
		time.Sleep(rand.N(200 * time.Millisecond))
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		load.Stop() // its last requests fail, as they must
		killed := load.Now()

		s := stage{v, dir}
		captured, sink := s.capture(t)
		damaged := map[string]bool{}
		for _, p := range captured.Problems {
			if p.Severity == holdfast.Damaged {
				damaged[p.Object] = true
			}
		}
		found := map[string]bool{}
		for _, p := range s.check(t, sink.FS()) {
			found[p.Object] = true
		}
		for object := range damaged {
			if !found[object] {
				t.Errorf("kill %d: capture calls %s damaged, check does not", i, object)
			}
		}
		t.Logf("kill %d, %s server: damaged %v, check %v", i, v, damaged, found)
		if len(found) > 0 {
			continue
		}
		if err := load.CheckCopy(t.Context(), v, sink.Dir, killed, killed, nil); err != nil {
			t.Errorf("kill %d: %v", i, err)
		}
	}
}

// A directory is captured before, while and after a newer server migrates it.
func TestCapture_AroundAMigration(t *testing.T) {
	t.Parallel()
	s := newStage(t, chromatest.Old)
	began := make(chan *chromatest.Server, 1)
	go func() {
		defer close(began)
		if server, err := chromatest.Launch(t.Context(), chromatest.New, s.dir); err == nil {
			began <- server
		}
	}()
	src := s.source(t)
	var schemas []holdfast.ChromaSchema
	var server *chromatest.Server
	for again := true; again; {
		select {
		case server = <-began:
			again = false // one more, of the migrated directory
		default:
		}
		sink := sourcetest.NewSink(t)
		if _, err := src.Capture(t.Context(), sink); err != nil {
			t.Fatal(err)
		}
		report, err := src.Check(t.Context(), sink.FS(), holdfast.CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Problems) > 0 || report.Facts.Chroma.Records != noteCount+7 {
			t.Errorf("%d records, problems %+v", report.Facts.Chroma.Records, report.Problems)
		}
		schemas = append(schemas, report.Facts.Chroma.Schema)
	}
	if server == nil {
		t.Fatal("the new server does not start on a directory of the old one")
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if first, last := schemas[0], schemas[len(schemas)-1]; !last.Newer(first) {
		t.Errorf("schema %+v before, %+v after the migration", first, last)
	}
	_, sink := s.capture(t)
	copied := chromatest.Start(t, chromatest.New, sink.Dir)
	c := copied.Client()
	col, err := c.Collection(t.Context(), notes)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(t.Context(), col.ID, nil)
	if err != nil || len(got) != noteCount {
		t.Fatalf("%d records: %v", len(got), err)
	}
	for i, want := range makeNotes(0, noteCount) {
		if err := chromatest.Same(got[i], want); err != nil {
			t.Error(err)
		}
	}
}

// A folder copied without the times of its files can never satisfy "the pickle
// is the newest"; it counts once nothing has touched it for a while.
func TestCapture_OfACopyWithoutTimes(t *testing.T) {
	t.Parallel()
	original := newStage(t, chromatest.New)
	dir := filepath.Join(t.TempDir(), "live")
	if err := os.CopyFS(dir, os.DirFS(original.dir)); err != nil {
		t.Fatal(err)
	}
	s := stage{original.version, dir}
	now := time.Now()
	if err := os.Chtimes(filepath.Join(s.folder(t, notes), "header.bin"), now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	captured, sink := s.capture(t)
	if problems := append(captured.Problems, s.check(t, sink.FS())...); len(problems) > 0 {
		t.Errorf("problems %+v", problems)
	}
}

func cut(t *testing.T, name string, size int64) {
	t.Helper()
	if err := os.Truncate(name, size); err != nil {
		t.Fatal(err)
	}
}
