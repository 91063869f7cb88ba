package records_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// memory is a copy that lies in memory.
type memory struct {
	list []disk.Collection
	all  map[string][]disk.Record
}

func (m *memory) Collections() []disk.Collection { return m.list }

func (m *memory) Records(_ context.Context, c disk.Collection, _ disk.Part) iter.Seq2[disk.Record, error] {
	return func(yield func(disk.Record, error) bool) {
		for _, r := range m.all[c.Name] {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// a sink keeps files in memory.
type sink struct{ files fstest.MapFS }

type sunk struct {
	bytes.Buffer
	to   *sink
	path string
}

func (s *sink) Create(e holdfast.Entry) (holdfast.FileWriter, error) {
	return &sunk{to: s, path: e.Path}, nil
}
func (s *sink) Add(holdfast.Entry) error                   { return nil }
func (s *sink) Remove(path string) error                   { delete(s.files, path); return nil }
func (s *sink) Reuse(holdfast.Entry, string) (bool, error) { return false, nil }
func (f *sunk) Skip(n int64) error                         { _, err := f.Write(make([]byte, n)); return err }
func (f *sunk) Stamp(string)                               {}
func (f *sunk) Discard() error                             { return nil }
func (f *sunk) Reset() error                               { f.Buffer.Reset(); return nil }
func (f *sunk) Close() error {
	f.to.files[f.path] = &fstest.MapFile{Data: f.Bytes(), Mode: 0o600}
	return nil
}

// write makes a tree of a copy.
func write(t *testing.T, m *memory, databases ...records.Database) fstest.MapFS {
	t.Helper()
	s := &sink{files: fstest.MapFS{}}
	if _, err := records.WriteTree(t.Context(), m, records.Server{API: "v2", Databases: databases}, time.Unix(0, 0), s); err != nil {
		t.Fatal(err)
	}
	return s.files
}

func collection(tenant, database, name string, dimension int) disk.Collection {
	return disk.Collection{ChromaCollection: holdfast.ChromaCollection{ID: "id of " + name, Tenant: tenant, Database: database, Name: name, Dimension: dimension, Space: "cosine"}}
}

// record makes a record that is a little different each time.
func record(r *rand.Rand, id string, dimension int) disk.Record {
	text := strings.Repeat("ข้อความ <b>&\u2028 \"quoted\" ", r.IntN(6))
	rec := disk.Record{ID: id, Metadata: holdfast.Values{"two": 2.0, "three": int64(3), "list": []any{"a", "b"}, "yes": true, "most": int64(math.MaxInt64)}}
	if r.IntN(5) > 0 {
		rec.Document = &text
	}
	if r.IntN(9) == 0 {
		uri := "file:///" + id
		rec.URI, rec.Metadata = &uri, nil
	}
	if r.IntN(50) == 0 {
		return rec // which has lost its embedding
	}
	rec.Embedding = make([]float32, dimension)
	for i := range rec.Embedding {
		rec.Embedding[i] = math.Float32frombits(r.Uint32())
		if f := float64(rec.Embedding[i]); math.IsNaN(f) {
			rec.Embedding[i] = float32(math.Inf(-1))
		}
	}
	return rec
}

// read gives all records of a collection.
func read(t *testing.T, tree *records.Tree, c disk.Collection) (all []disk.Record) {
	t.Helper()
	for r, err := range tree.Records(t.Context(), c, disk.Everything) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// Whatever was written is read again, by every way of reading, and each line is JSON.
func TestTree_RoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	long := strings.Repeat("x", 512)
	m := &memory{all: map[string][]disk.Record{}}
	for _, name := range []string{"notes", "Notes", "notes.json", "notes.jsonl", "nul", long, long[:511] + "y"} {
		for i := range r.IntN(400) {
			m.all[name] = append(m.all[name], record(r, fmt.Sprintf("%s \"%d\\", name[:3], i), 3))
		}
		m.list = append(m.list, collection("../ร้าน", "CON", name, 3))
	}
	files := write(t, m, records.Database{Tenant: "empty", Name: "nothing"})
	lower := map[string]bool{}
	for path, file := range files {
		for element := range strings.SplitSeq(path, "/") {
			if len(element) > 160 || strings.HasPrefix(element, ".") || strings.ContainsAny(element, `\:*?"<>|`) {
				t.Errorf("%q is no safe path", path)
			}
		}
		if lower[strings.ToLower(path)] {
			t.Errorf("%q is there twice", path)
		}
		lower[strings.ToLower(path)] = true
		for line := range bytes.Lines(file.Data) {
			if strings.HasSuffix(path, ".jsonl") && (!json.Valid(line) || line[len(line)-1] != '\n') {
				t.Fatalf("%s: %q", path, line)
			}
		}
	}
	tree, err := records.Open(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Collections()) != len(m.list) || len(tree.Databases()) != 2 {
		t.Fatalf("%d collections, %v", len(tree.Collections()), tree.Databases())
	}
	for _, c := range m.list {
		c, err := tree.Collection(c.Name)
		if err != nil {
			t.Fatal(err)
		}
		want := m.all[c.Name]
		got := read(t, tree, c)
		if !reflect.DeepEqual(got, want) || c.Records != int64(len(want)) {
			t.Fatalf("%s: %d records, want %d", c.Name, len(got), len(want))
		}
		if len(want) < 3 {
			continue
		}
		ids := []string{want[2].ID, "nobody", want[0].ID}
		found, err := tree.Lookup(t.Context(), c, ids)
		if err != nil || !reflect.DeepEqual(found, []disk.Record{want[2], want[0]}) {
			t.Errorf("%s: lookup %v %v", c.Name, found, err)
		}
		var offset int64
		for i := range want {
			for p, err := range tree.From(t.Context(), c, offset, disk.Everything) {
				if err != nil || p.ID != want[i].ID || p.At != offset {
					t.Fatalf("%s: at %d: %q %v", c.Name, offset, p.ID, err)
				}
				offset = p.Next
				break
			}
		}
	}
	report, err := records.Check(t.Context(), files, holdfast.CheckOptions{})
	if err != nil || len(report.Problems) > 0 || report.Facts.Chroma.QuickCheck != holdfast.CheckOK {
		t.Errorf("%+v %v", report, err)
	}
}

// blocks are the blocks of a file.
func blocks(data []byte) map[string]bool {
	all := map[string]bool{}
	for part := range slices.Chunk(data, 4096) {
		all[string(part)] = true
	}
	return all
}

// A change of a record here and there, at whatever place, leaves nearly all blocks as
// they were, though elsewhere.
func TestWriter_ASmallChangeTouchesFewBlocks(t *testing.T) {
	for _, dimension := range []int{0, 3, 384, 3072} {
		r := rand.New(rand.NewPCG(3, uint64(dimension)))
		var all []disk.Record
		for i := range 6_000_000 / (12*dimension + 1500) {
			all = append(all, record(r, fmt.Sprint("record ", i), dimension))
		}
		encode := func(all []disk.Record) []byte {
			var out bytes.Buffer
			w := records.NewWriter(&out, dimension)
			for _, one := range all {
				if err := w.Write(one); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			return out.Bytes()
		}
		before := encode(all)
		if !bytes.Equal(before, encode(all)) {
			t.Fatal("the same records give other bytes")
		}
		old := blocks(before)
		for what, change := range map[string]func([]disk.Record) []disk.Record{
			"deleted":  func(all []disk.Record) []disk.Record { return slices.Delete(all, len(all)/3, len(all)/3+1) },
			"inserted": func(all []disk.Record) []disk.Record { return slices.Insert(all, 7, record(r, "new", dimension)) },
			"changed": func(all []disk.Record) []disk.Record {
				all[len(all)/2] = record(r, all[len(all)/2].ID, dimension)
				return all
			},
			"appended": func(all []disk.Record) []disk.Record { return append(all, record(r, "newest", dimension)) },
		} {
			after := encode(change(slices.Clone(all)))
			fresh := 0
			for part := range blocks(after) {
				if !old[part] {
					fresh++
				}
			}
			if most := 60 + 3*dimension/340; fresh > most {
				t.Errorf("%d numbers, one record %s: %d of %d blocks are new, at most %d may be", dimension, what, fresh, len(old), most)
			}
		}
		if over := float64(len(before)); over > 1.5*float64(len(bytes.ReplaceAll(before, []byte("  "), nil))) {
			t.Errorf("%d numbers: the filling is more than half of the rest", dimension)
		}
	}
}

// TestFrom_AnOffsetThatIsMadeUpIsNoDamage asks for every offset of a whole file, and for some
// beyond it: those at which a line begins, or the file ends, are read, and the others are the
// mistake of who asks.
func TestFrom_AnOffsetThatIsMadeUpIsNoDamage(t *testing.T) {
	m := &memory{all: map[string][]disk.Record{}}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 3 {
		m.all["notes"] = append(m.all["notes"], record(r, fmt.Sprint("doc-", i), 3))
	}
	m.list = []disk.Collection{collection("default_tenant", "default_database", "notes", 3)}
	tree, err := records.Open(t.Context(), write(t, m))
	if err != nil {
		t.Fatal(err)
	}
	c, err := tree.Collection("notes")
	if err != nil {
		t.Fatal(err)
	}
	begins := map[int64]bool{0: true}
	end := int64(0)
	for p, err := range tree.From(t.Context(), c, 0, disk.Everything) {
		if err != nil {
			t.Fatal(err)
		}
		begins[p.Next], end = true, p.Next
	}
	for offset := range end + 100 {
		var failed error
		for _, err := range tree.From(t.Context(), c, offset, disk.Everything) {
			failed = err
		}
		switch {
		case begins[offset] && failed != nil:
			t.Errorf("at %d: %v", offset, failed)
		case !begins[offset] && !errors.Is(failed, holdfast.ErrUsage):
			t.Errorf("at %d, where no line begins: %v, want %v", offset, failed, holdfast.ErrUsage)
		}
	}
}

// unclosable is a tree whose files fail when they are closed.
type unclosable struct{ fstest.MapFS }

type unclosableFile struct{ fs.File }

func (u unclosable) Open(name string) (fs.File, error) {
	f, err := u.MapFS.Open(name)
	if strings.HasSuffix(name, records.RecordsExt) {
		return unclosableFile{f}, err
	}
	return f, err
}

func (u unclosable) ReadDir(name string) ([]fs.DirEntry, error) { return u.MapFS.ReadDir(name) }
func (f unclosableFile) Close() error                           { return errors.New("cannot be closed") }

// Whoever wants no more is not told what fails afterwards: a loop that has ended cannot be.
func TestRecords_AfterTheEndNothingIsTold(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	m := &memory{all: map[string][]disk.Record{"notes": {record(r, "a", 3), record(r, "b", 3)}}}
	m.list = []disk.Collection{collection("t", "d", "notes", 3)}
	files := write(t, m)
	broken, err := records.Open(t.Context(), unclosable{files})
	if err != nil {
		t.Fatal(err)
	}
	c := broken.Collections()[0]
	for range broken.Records(t.Context(), c, disk.Everything) {
		break
	}
	for range broken.Lines(t.Context(), c) {
		break
	}
	n := 0
	for _, err = range broken.Records(t.Context(), c, disk.Everything) {
		n++
	}
	if n != 3 || err == nil {
		t.Errorf("%d told, at last %v", n, err)
	}
}

// A copy may say what it likes of its dimension: its records are written all the same.
func TestWriter_AnyDimension(t *testing.T) {
	for _, dimension := range []int{math.MinInt, -34, -1, 0, 1 << 20, math.MaxInt / 12, math.MaxInt} {
		var out bytes.Buffer
		w := records.NewWriter(&out, dimension)
		if err := errors.Join(w.Write(disk.Record{ID: "a"}), w.Close()); err != nil || !bytes.HasPrefix(out.Bytes(), []byte(`{"id":"a"`)) {
			t.Errorf("%d: %q %v", dimension, out.Bytes(), err)
		}
	}
}

// Damage is named by its file and line.
func TestCheck_NamesDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	m := &memory{all: map[string][]disk.Record{}, list: []disk.Collection{collection("t", "d", "notes", 3)}}
	for i := range 20 {
		one := record(r, fmt.Sprint(i), 3)
		one.Embedding = []float32{1, 2, 3}
		m.all["notes"] = append(m.all["notes"], one)
	}
	const file = "t/d/notes.jsonl"
	for name, c := range map[string]struct {
		damage func(fstest.MapFS)
		want   string
	}{
		"torn":    {func(f fstest.MapFS) { f[file].Data = f[file].Data[:len(f[file].Data)-10] }, "ends within a line"},
		"no JSON": {func(f fstest.MapFS) { f[file].Data[0] = 'x' }, "the line at byte 0"},
		"two ids": {func(f fstest.MapFS) { f[file].Data = append([]byte(`{"id":"one","id":"two"}`+"\n"), f[file].Data...) }, "the record has two ids"},
		"a pipe":  {func(f fstest.MapFS) { f[file].Mode = fs.ModeNamedPipe }, "is no regular file"},
		"gone":    {func(f fstest.MapFS) { delete(f, file) }, "not exist"},
		"twice":   {func(f fstest.MapFS) { f[file].Data = append(f[file].Data, f[file].Data...) }, "ids that are there twice: 20"},
		"fewer":   {func(f fstest.MapFS) { f[file].Data = nil }, "records in it: 0, and in its description: 20"},
		"other vectors": {func(f fstest.MapFS) {
			f[file].Data = bytes.Replace(f[file].Data, []byte("[1,2,3]"), []byte("[1,2]"), 1)
		}, "embeddings that have not 3 numbers: 1"},
		"a word": {func(f fstest.MapFS) {
			f[file].Data = bytes.Replace(f[file].Data, []byte("[1,2,3]"), []byte(`[1,2,1e99]`), 1)
		}, `the embedding holds "1e99", which is not a number of 32 bits`},
		"no text":     {func(f fstest.MapFS) { f[file].Data = append([]byte(`{"id":7}`+"\n"), f[file].Data...) }, "id is a JSON number, which it cannot be"},
		"a list":      {func(f fstest.MapFS) { f[file].Data = append([]byte("[]\n"), f[file].Data...) }, "the whole is a JSON array"},
		"description": {func(f fstest.MapFS) { f["t/d/notes.json"].Data = []byte("{") }, "the description of a collection cannot be read"},
		"dimension": {func(f fstest.MapFS) {
			f["t/d/notes.json"].Data = bytes.Replace(f["t/d/notes.json"].Data, []byte(`"dimension": 3`), []byte(`"dimension": -3`), 1)
		}, "its dimension is -3"},
		"server":          {func(f fstest.MapFS) { f["server.json"].Data = []byte("{") }, "open records server.json"},
		"no databases":    {func(f fstest.MapFS) { f["server.json"].Data = []byte(`{"format":1}`) }, "it names no databases"},
		"another":         {func(f fstest.MapFS) { f["server.json"].Data = []byte(`{"databases":[]}`) }, "server.json names no database that lies here"},
		"half a name":     {func(f fstest.MapFS) { f["server.json"].Data = []byte(`{"databases":[{"name":"d"}]}`) }, "a database has no tenant or no name"},
		"not described":   {func(f fstest.MapFS) { delete(f, "t/d/notes.json") }, "records without a description: there is no notes.json"},
		"not UTF-8":       {func(f fstest.MapFS) { f[file].Data = append([]byte("{\"id\":\"caf\xe9\"}\n"), f[file].Data...) }, "it is not UTF-8"},
		"a name in Latin": {func(f fstest.MapFS) { f["t/d/notes.json"].Data = []byte("{\"name\":\"caf\xe9\"}") }, "it is not UTF-8"},
	} {
		files := write(t, m)
		c.damage(files)
		report, err := records.Check(t.Context(), files, holdfast.CheckOptions{})
		if err != nil {
			t.Fatal(name, err)
		}
		for _, p := range report.Problems {
			if strings.Contains(p.Message, "strconv") || strings.Contains(p.Message, "Go struct") {
				t.Errorf("%s is told in Go: %s", name, p.Message)
			}
		}
		if report.Facts.Chroma.QuickCheck != holdfast.CheckFailed || !slices.ContainsFunc(report.Problems, func(p holdfast.Problem) bool { return strings.Contains(p.Message, c.want) }) {
			t.Errorf("%s: %+v", name, report.Problems)
		}
	}
	if _, err := records.Open(t.Context(), fstest.MapFS{}); holdfast.ExitCode(err) != holdfast.ExitNotFound {
		t.Error(err)
	}
	if _, err := fs.Stat(write(t, m), file); err != nil {
		t.Error(err)
	}
}
