package disk_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// folderOf gives the index folder of a collection.
func folderOf(t testing.TB, dir, collection string) string {
	t.Helper()
	d, err := disk.Open(t.Context(), os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, err := d.Collection(collection)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, c.Segment)
}

// change edits a file.
func change(t testing.TB, path string, edit func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, edit(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// alter runs a statement on a stopped directory's database.
func alter(t testing.TB, dir, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, disk.DatabaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatal(err)
	}
}

func TestCheck_NamesEveryDamage(t *testing.T) {
	const elementSize = 4 + 4*32 + 4*16 + 8
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir, folder string)
		object string
		says   []string
	}{
		"a truncated pickle": {func(t *testing.T, _, folder string) {
			change(t, filepath.Join(folder, "index_metadata.pickle"), func(b []byte) []byte { return b[:len(b)/2] })
		}, "collection documents", []string{"index_metadata.pickle", "ends in the middle"}},
		"an empty pickle": {func(t *testing.T, _, folder string) {
			change(t, filepath.Join(folder, "index_metadata.pickle"), func([]byte) []byte { return nil })
		}, "collection documents", []string{"index_metadata.pickle"}},
		"no pickle": {func(t *testing.T, _, folder string) {
			if err := os.Remove(filepath.Join(folder, "index_metadata.pickle")); err != nil {
				t.Fatal(err)
			}
		}, "collection documents", []string{"no embedding for", "doc-00"}},
		"no folder": {func(t *testing.T, _, folder string) {
			if err := os.RemoveAll(folder); err != nil {
				t.Fatal(err)
			}
		}, "collection documents", []string{"no embedding for", "doc-00"}},
		"a header that is older than the data": {func(t *testing.T, _, folder string) {
			change(t, filepath.Join(folder, "header.bin"), func(b []byte) []byte { b[20]--; return b })
		}, "collection documents", []string{"element", "links to"}},
		"a header beyond the data": {func(t *testing.T, _, folder string) {
			change(t, filepath.Join(folder, "header.bin"), func(b []byte) []byte { b[14], b[22] = 0xff, 0x7f; return b })
		}, "collection documents", []string{"data_level0.bin has"}},
		"a header of zeros": {func(t *testing.T, _, folder string) {
			change(t, filepath.Join(folder, "header.bin"), func(b []byte) []byte { clear(b); return b })
		}, "collection documents", []string{"version 0"}},
		"a label that is not the pickle's": {func(t *testing.T, _, folder string) {
			change(t, filepath.Join(folder, "data_level0.bin"), func(b []byte) []byte { b[3*elementSize-8] = 77; return b })
		}, "collection documents", []string{"live vectors", "not the same"}},
		"a vector deleted behind the pickle's back": {func(t *testing.T, _, folder string) {
			change(t, filepath.Join(folder, "data_level0.bin"), func(b []byte) []byte { b[2*elementSize+2] |= 1; return b })
		}, "collection documents", []string{"live vectors"}},
		"missing lists of links": {func(t *testing.T, _, folder string) {
			if err := os.Remove(filepath.Join(folder, "link_lists.bin")); err != nil {
				t.Fatal(err)
			}
		}, "collection documents", []string{"link_lists.bin is missing"}},
		"a cut list of links": {func(t *testing.T, _, folder string) {
			change(t, filepath.Join(folder, "link_lists.bin"), func(b []byte) []byte { return append(b[:96], 132) })
		}, "collection documents", []string{"link_lists.bin"}},
		"a lost record": {func(t *testing.T, dir, _ string) {
			alter(t, dir, `DELETE FROM embeddings WHERE embedding_id = 'doc-03'`)
		}, "collection documents", []string{"do not exist", "1 record", "doc-03"}},
		"a lost log": {func(t *testing.T, dir, _ string) {
			alter(t, dir, `DELETE FROM embeddings_queue WHERE id = 'doc-39'`)
		}, "collection documents", []string{"no embedding for 1 record", "doc-39"}},
		"an index older than the database": {func(t *testing.T, dir, _ string) {
			alter(t, dir, `DELETE FROM embeddings_queue`)
			alter(t, dir, `UPDATE max_seq_id SET seq_id = 99`)
		}, "collection documents", []string{"no embedding for", "15 records"}},
		"no full-text table": {func(t *testing.T, dir, _ string) {
			alter(t, dir, `DROP TABLE embedding_fulltext_search`)
		}, disk.DatabaseFile, []string{"full-text table is missing"}},
		"a schema that is not JSON": {func(t *testing.T, dir, _ string) {
			alter(t, dir, `UPDATE collections SET config_json_str = '{"vector' WHERE name = 'documents'`)
		}, "collection documents", []string{"configuration is not JSON"}},
		"no vector segment": {func(t *testing.T, dir, _ string) {
			alter(t, dir, `DELETE FROM segments WHERE scope = 'VECTOR' AND collection = (SELECT id FROM collections WHERE name = 'documents')`)
		}, "collection documents", []string{"no vector or no metadata segment"}},
		"a segment that leads elsewhere": {func(t *testing.T, dir, _ string) {
			alter(t, dir, `UPDATE segments SET id = '../../etc' WHERE scope = 'VECTOR' AND collection = (SELECT id FROM collections WHERE name = 'documents')`)
		}, "collection documents", []string{"impossible name"}},
		"a zeroed page": {func(t *testing.T, dir, _ string) {
			change(t, filepath.Join(dir, disk.DatabaseFile), func(b []byte) []byte {
				// The last page belongs to a table or an index, not to the schema.
				clear(b[len(b)-4096:])
				return b
			})
		}, disk.DatabaseFile, []string{"SQLite"}},
		"a position that is none": {func(t *testing.T, dir, _ string) {
			alter(t, dir, `UPDATE max_seq_id SET seq_id = x'010203'`)
		}, disk.DatabaseFile, []string{"position in the log"}},
		"metadata in the log that is not JSON": {func(t *testing.T, dir, _ string) {
			alter(t, dir, `UPDATE max_seq_id SET seq_id = 1`)
			alter(t, dir, `UPDATE embeddings_queue SET metadata = '{"'`)
		}, disk.DatabaseFile, []string{"log's metadata"}},
		"a database that is not one": {func(t *testing.T, dir, _ string) {
			change(t, filepath.Join(dir, disk.DatabaseFile), func(b []byte) []byte { return bytes.Repeat([]byte("noise "), len(b)/6) })
		}, disk.DatabaseFile, []string{"SQLite cannot read"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := fixture(t)
			c.damage(t, dir, folderOf(t, dir, "documents"))
			report, err := disk.Check(t.Context(), os.DirFS(dir), holdfast.CheckOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range report.Problems {
				if p.Object != c.object || p.Severity != holdfast.Damaged || p.Hint == "" {
					continue
				}
				missing := false
				for _, s := range c.says {
					missing = missing || !strings.Contains(p.Message, s)
				}
				if !missing {
					return
				}
			}
			t.Errorf("no problem of %s says %q:\n%+v", c.object, c.says, report.Problems)
		})
	}
}

func TestCheck_DoesNotBlameTheOtherCollections(t *testing.T) {
	dir := fixture(t)
	if err := os.RemoveAll(folderOf(t, dir, "documents")); err != nil {
		t.Fatal(err)
	}
	report, err := disk.Check(t.Context(), os.DirFS(dir), holdfast.CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Problems) != 1 || report.Facts.Chroma.Records != 51 {
		t.Errorf("got %+v", report)
	}
}

// TestRecords_KeepWhatIsLeft reads a directory whose index is lost: documents
// come without their embeddings, and the export can be taken, but not restored
// as if nothing were missing.
func TestRecords_KeepWhatIsLeft(t *testing.T) {
	dir := fixture(t)
	if err := os.RemoveAll(folderOf(t, dir, "documents")); err != nil {
		t.Fatal(err)
	}
	got := read(t, open(t, dir), "documents")
	without := 0
	for _, e := range got.Embeddings {
		if e == nil {
			without++
		}
	}
	if len(got.IDs) != 39 || without == 0 || without == 39 {
		t.Errorf("%d records, %d without embedding", len(got.IDs), without)
	}
	memories, info := export(t, dir, "documents")
	err := disk.RestoreMemory(t.Context(), dir, info, bytes.NewReader(memories))
	if holdfast.ExitCode(err) != holdfast.ExitRefused {
		t.Errorf("a restore without embeddings: %v", err)
	}
}

func TestRecords_NameADamagedIndex(t *testing.T) {
	dir := fixture(t)
	folder := folderOf(t, dir, "documents")
	change(t, filepath.Join(folder, "index_metadata.pickle"), func(b []byte) []byte { return b[:100] })
	d := open(t, dir)
	c, err := d.Collection("documents")
	if err != nil {
		t.Fatal(err)
	}
	for _, err = range d.Records(t.Context(), c, disk.Embeddings) {
		if err != nil {
			break
		}
	}
	if !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), filepath.Base(folder)) {
		t.Errorf("got %v", err)
	}
}

func TestOpen_SaysWhatIsNoChromaDirectory(t *testing.T) {
	foreign := t.TempDir()
	alter(t, foreign, `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)`)
	for name, fsys := range map[string]fstest.MapFS{
		"an empty directory": {},
		"an empty file":      {disk.DatabaseFile: {}},
	} {
		_, err := disk.Open(t.Context(), fsys)
		if !errors.Is(err, holdfast.ErrNotFound) || holdfast.HintOf(err) == "" {
			t.Errorf("%s: %v (hint %q)", name, err, holdfast.HintOf(err))
		}
	}
	_, err := disk.Open(t.Context(), os.DirFS(foreign))
	if !errors.Is(err, holdfast.ErrNotFound) || holdfast.HintOf(err) == "" {
		t.Errorf("another program's database: %v (hint %q)", err, holdfast.HintOf(err))
	}
}

func TestRestoreMemory_PassesReadErrorsOn(t *testing.T) {
	dir := fixture(t)
	broken := errors.New("the bucket does not answer")
	r := io.MultiReader(strings.NewReader(`{"ids":["a"`), iotest.ErrReader(broken))
	err := disk.RestoreMemory(t.Context(), dir, holdfast.MemoryCollection{Name: "documents"}, r)
	if !errors.Is(err, broken) || errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestCheckFolder_TellsTheThreeStates(t *testing.T) {
	dir := fixture(t)
	folder := folderOf(t, dir, "documents")
	state := func() disk.FolderState {
		t.Helper()
		s, err := disk.CheckFolder(os.DirFS(folder))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := state(); s.Status != disk.FolderComplete || s.Live != 25 {
		t.Errorf("complete: %+v", s)
	}
	change(t, filepath.Join(folder, "index_metadata.pickle"), func(b []byte) []byte { return b[:len(b)-1] })
	if s := state(); s.Status != disk.FolderDamaged || s.Reason == "" {
		t.Errorf("damaged: %+v", s)
	}
	if err := os.Remove(filepath.Join(folder, "index_metadata.pickle")); err != nil {
		t.Fatal(err)
	}
	if s := state(); s.Status != disk.FolderEmpty {
		t.Errorf("empty: %+v", s)
	}
}
