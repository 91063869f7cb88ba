package transfer_test

import (
	"archive/zip"
	"database/sql"
	"encoding/binary"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/transfer"
)

// pythonDir makes a directory of a Python release whose records are all in the log,
// which such releases keep whole.
func pythonDir(t *testing.T, schema string) fs.FS {
	t.Helper()
	dir := t.TempDir()
	tables, err := os.ReadFile(filepath.Join("../disk/testdata/python", schema))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, disk.DatabaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(string(tables))
	exec(`DELETE FROM max_seq_id WHERE segment_id LIKE '2222%'`)
	for i, id := range []string{"หนึ่ง", "two", "three"} {
		var vector []byte
		for _, x := range []float32{1, float32(i), 0.25} {
			vector = binary.LittleEndian.AppendUint32(vector, math.Float32bits(x))
		}
		exec(`INSERT INTO embeddings_queue (seq_id, operation, topic, id, vector, encoding, metadata) VALUES (?, 0,
			'persistent://default/default/11111111-1111-4111-8111-111111111111', ?, ?, 'FLOAT32', '{}')`, i+1, id, vector)
		exec(`INSERT INTO embeddings (id, segment_id, embedding_id, seq_id) VALUES (?, '33333333-3333-4333-8333-333333333333', ?, ?)`,
			i+1, id, binary.BigEndian.AppendUint64(nil, uint64(i+1)))
		exec(`INSERT INTO embedding_metadata (id, key, string_value) VALUES (?, 'chroma:document', ?)`, i+1, "document of "+id)
		exec(`INSERT INTO embedding_metadata (id, key, float_value) VALUES (?, 'two', 2.0)`, i+1)
		exec(`INSERT INTO embedding_metadata (id, key, int_value) VALUES (?, 'n', ?)`, i+1, i)
	}
	return os.DirFS(dir)
}

// demoDir is the directory of the old server that the demo brings along.
func demoDir(t *testing.T) fs.FS {
	t.Helper()
	z, err := zip.OpenReader("../../../internal/demo/fixture/chroma.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	return os.DirFS(dir)
}

// TestApply_TakesDirectoriesOfEveryRelease restores each collection of directories of
// all generations into both servers.
func TestApply_TakesDirectoriesOfEveryRelease(t *testing.T) {
	today := newWorld(t, chromatest.New)
	today.make("of-today", disk.SpaceCosine, records(12)...)
	for name, dir := range map[string]fs.FS{
		"0.4.0": pythonDir(t, "0.4.0.sql"), "0.4.15": pythonDir(t, "0.4.15.sql"), "0.5.0": pythonDir(t, "0.5.0.sql"), "0.5.4": pythonDir(t, "0.5.4.sql"), "0.6": pythonDir(t, "0.6.3.sql"), "1.0": demoDir(t), "today": today.backup(),
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, w *world) { w.takes(dir, name, today.database) })
		})
	}
}

// takes restores every collection of a directory into the world, and compares.
func (w *world) takes(dir fs.FS, name, database string) {
	t := w.t
	c, err := content.Open(t.Context(), dir)
	w.must(err)
	defer c.Close()
	restored := 0
	for _, of := range c.Collections() {
		if name == "today" && of.Database != database {
			continue
		}
		part := holdfast.Part{Table: of.Tenant + "/" + of.Database + "/" + of.Name, As: w.table(of.Name)}
		var n notes
		result, err := transfer.Apply(t.Context(), w.target(), c, []holdfast.Part{part}, n.options())
		w.must(err)
		if result.Problems != nil || result.Changes[0].From != part.Table {
			t.Errorf("%s: result %+v", name, result)
		}
		var want []disk.Record
		for r, err := range c.Records(t.Context(), of, disk.Everything) {
			w.must(err)
			want = append(want, r)
		}
		made := w.collection(of.Name)
		same(t, name+" "+of.Name, w.records(made), want, of.Space)
		if made.Space != of.Space || made.Dimension != of.Dimension {
			t.Errorf("%s: %s was made with %s and %d dimensions, not %s and %d", name, of.Name, made.Space, made.Dimension, of.Space, of.Dimension)
		}
		for key, v := range of.Metadata {
			if made.Metadata[key] != v {
				t.Errorf("%s: metadata %s of %s is %v, not %v", name, key, of.Name, made.Metadata[key], v)
			}
		}
		if name == "1.0" && !strings.Contains(string(made.Configuration), `"sync_threshold":`) {
			t.Errorf("%s: configuration %s", name, made.Configuration)
		}
		restored++
	}
	if restored == 0 {
		t.Errorf("%s: nothing was restored", name)
	}
}
