package inside_test

import (
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/inside"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// world is a directory of a real server, with records in the index, in the log, changed
// and deleted.
func world(t *testing.T) fs.FS {
	t.Helper()
	dir := t.TempDir()
	s := chromatest.Start(t, chromatest.New, dir)
	c := s.Client()
	t.Cleanup(c.Close)
	for _, spec := range []chromatest.CollectionSpec{{Name: "notes", Space: "cosine", SyncThreshold: 100}, {Name: "Empty"}, {Name: "memory", Space: "l2", Metadata: map[string]any{"owner": "Anna", "two": 2, "half": 0.5, "yes": true}}} {
		made, err := c.Create(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		if spec.Name == "Empty" {
			continue
		}
		var all []chromatest.Record
		for i := range 330 {
			text := fmt.Sprintf("บันทึก number %d: Straße, ΑΒΓ and so on %s", i, strings.Repeat("x", i%50))
			r := chromatest.Record{ID: fmt.Sprintf("%s-%d", []string{"ö", "x"}[i%2], (i*37)%330), Embedding: []float32{float32(i) + 0.5, 1, 2}, Metadata: map[string]any{"n": i, "f": 2.5, "who": "Somebody", "yes": i%2 == 0}}
			if i%7 > 0 {
				r.Document = &text
			}
			all = append(all, r)
		}
		if err := c.Add(t.Context(), made.ID, all); err != nil {
			t.Fatal(err)
		}
		changed := "another text by now"
		all[5].Document = &changed
		if err := c.Upsert(t.Context(), made.ID, all[5:7]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	return os.DirFS(dir)
}

// recordsOf is a copy in the other form.
func recordsOf(t *testing.T, copy fs.FS) fs.FS {
	t.Helper()
	c, err := content.Open(t.Context(), copy)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sink := sourcetest.NewSink(t)
	if _, err := records.WriteTree(t.Context(), c, records.Server{}, time.Unix(0, 0), sink); err != nil {
		t.Fatal(err)
	}
	return sink.FS()
}

func TestInside_KeepsTheContractInEitherForm(t *testing.T) {
	source, err := chroma.New("chromadb", t.TempDir(), chroma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files := world(t)
	for name, copy := range map[string]fs.FS{"files": files, "records": recordsOf(t, files)} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(inside.SortIn(4 << 10)) // many runs
			sourcetest.RunLook(t, sourcetest.LookFixture{Source: source, Copy: copy})
		})
	}
}

// The two forms of one state are the same, row by row.
func TestInside_BothFormsAreAlike(t *testing.T) {
	files := world(t)
	one, err := inside.Open(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	readable := recordsOf(t, files)
	other, err := inside.Open(t.Context(), readable)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tables, _ := one.Tables(t.Context())
	others, _ := other.Tables(t.Context())
	if got := fmt.Sprint(tables[1].Title, tables[1].Metadata); got != "memorymap[half:0.5 owner:Anna two:2 yes:true]" {
		t.Errorf("got %s", got)
	}
	for i := range others {
		// Only here has a collection files of its own: its description and its records.
		if len(others[i].Files) != 2 {
			t.Errorf("%s lies in %q", others[i].Name, others[i].Files)
		}
		for _, name := range others[i].Files {
			if _, err := fs.Stat(readable, name); err != nil {
				t.Error(err)
			}
		}
		// And a directory is not counted.
		others[i].Rows, others[i].Files = nil, nil
	}
	if !reflect.DeepEqual(tables, others) || len(tables) != 3 {
		t.Fatalf("%+v, and %+v", tables, others)
	}
	for _, table := range tables {
		for _, byKey := range []bool{false, true} {
			o := holdfast.RowsOptions{ByKey: byKey, Vectors: true}
			want, got := rowsOf(t, one, table.Name, o), rowsOf(t, other, table.Name, o)
			if !reflect.DeepEqual(got, want) || table.Title != "Empty" && len(got) != 330 {
				t.Errorf("%s: %d rows of files, %d of records", table.Name, len(want), len(got))
			}
		}
	}
}

// rowsOf gives all rows without what belongs to the form.
func rowsOf(t *testing.T, in holdfast.Inside, table string, o holdfast.RowsOptions) (all []holdfast.Row) {
	t.Helper()
	for r, err := range in.Rows(t.Context(), table, o) {
		if err != nil {
			t.Fatal(err)
		}
		r.Cursor = ""
		all = append(all, r)
	}
	return all
}
