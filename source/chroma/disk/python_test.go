package disk_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// The directories of Chroma's Python releases are made here: tables by hand,
// pickles by Python (testdata/python/make.py), index files of a real server,
// whose format has not changed. No Python server is involved.

// pythonEntry is one entry of the log.
type pythonEntry struct {
	operation int
	id        string
	vector    []float32
	metadata  string
}

// pythonLog is what happened: the index contains the first six entries.
var pythonLog = []pythonEntry{
	{0, "a", []float32{1, 0, 0}, `{"n": 1, "chroma:document": "หนึ่ง"}`},
	{0, "b", []float32{0, 3, 4}, `{"n": 2.5}`},
	{0, "c", []float32{1, 1, 1}, `{}`},
	{0, "d", []float32{2, 2, 1}, `{"s": "چهار"}`},
	{0, "e", []float32{-1, 0, 2}, `{}`},
	{3, "c", nil, `{}`},
	{0, "f", []float32{0, 0, 2}, `{"n": 6}`},
	{1, "a", []float32{7, 7, 7}, `{}`},
}

// pythonWant is the collection after the log.
var pythonWant = content{
	IDs:        []string{"a", "b", "d", "e", "f"},
	Documents:  []*string{new("หนึ่ง"), nil, nil, nil, nil},
	Metadatas:  []holdfast.Values{{"n": int64(1)}, {"n": 2.5}, {"s": "چهار"}, nil, {"n": int64(6)}},
	Embeddings: [][]float32{{7, 7, 7}, {0, 3, 4}, {2, 2, 1}, {-1, 0, 2}, {0, 0, 2}},
}

const pythonSegment = "22222222-2222-4222-8222-222222222222"

// pythonDir makes a directory of a Python release.
func pythonDir(t *testing.T, schema, pickle string) string {
	t.Helper()
	dir := t.TempDir()
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	alter(t, dir, string(read(filepath.Join("testdata/python", schema))))
	folder := filepath.Join(dir, pythonSegment)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range disk.IndexFiles() {
		from := filepath.Join("internal/hnsw/testdata/sound", name)
		if name == "index_metadata.pickle" {
			from = filepath.Join("testdata/python", pickle)
		}
		if err := os.WriteFile(filepath.Join(folder, name), read(from), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, e := range pythonLog {
		alter(t, dir, `INSERT INTO embeddings_queue (seq_id, operation, topic, id, vector, encoding, metadata) VALUES (?, ?,
			'persistent://default/default/11111111-1111-4111-8111-111111111111', ?, ?, 'FLOAT32', ?)`,
			i+1, e.operation, e.id, floats(e.vector), e.metadata)
	}
	for i, id := range pythonWant.IDs {
		alter(t, dir, `INSERT INTO embeddings (id, segment_id, embedding_id, seq_id) VALUES (?, '33333333-3333-4333-8333-333333333333', ?, ?)`,
			i+1, id, binary.BigEndian.AppendUint64(nil, uint64(i+1)))
		if d := pythonWant.Documents[i]; d != nil {
			alter(t, dir, `INSERT INTO embedding_metadata (id, key, string_value) VALUES (?, 'chroma:document', ?)`, i+1, *d)
		}
		for key, v := range pythonWant.Metadatas[i] {
			column := map[string]string{"int64": "int_value", "float64": "float_value", "string": "string_value"}[fmt.Sprintf("%T", v)]
			alter(t, dir, `INSERT INTO embedding_metadata (id, key, `+column+`) VALUES (?, ?, ?)`, i+1, key, v)
		}
	}
	return dir
}

func floats(v []float32) []byte {
	var b []byte
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

func TestPythonEra_ReadsAndRestores(t *testing.T) {
	for _, c := range []struct {
		schema, pickle string
		want           holdfast.ChromaSchema
	}{
		{"0.4.0.sql", "position_inside.pickle", holdfast.ChromaSchema{EmbeddingsQueue: 1, MetaDB: 1, SysDB: 3, Release: "0.4.0"}},
		{"0.4.15.sql", "position_inside.pickle", holdfast.ChromaSchema{EmbeddingsQueue: 1, MetaDB: 3, SysDB: 4, Release: "0.4.15"}},
		{"0.5.0.sql", "position_inside.pickle", holdfast.ChromaSchema{EmbeddingsQueue: 1, MetaDB: 3, SysDB: 5, Release: "0.5.0"}},
		{"0.5.4.sql", "position_inside.pickle", holdfast.ChromaSchema{EmbeddingsQueue: 1, MetaDB: 3, SysDB: 7, Release: "0.5.4"}},
		{"0.6.3.sql", "position_outside.pickle", holdfast.ChromaSchema{EmbeddingsQueue: 2, MetaDB: 4, SysDB: 9, Release: "0.5.6-0.6.3"}},
	} {
		t.Run(c.schema, func(t *testing.T) {
			dir := pythonDir(t, c.schema, c.pickle)
			report, err := disk.Check(t.Context(), os.DirFS(dir), holdfast.CheckOptions{})
			if err != nil || report.Problems != nil {
				t.Fatalf("%v %+v", err, report.Problems)
			}
			facts := report.Facts.Chroma
			if facts.Schema != c.want || facts.Records != 5 || facts.Queued != 2 || facts.Collections[0].Space != disk.SpaceCosine {
				t.Errorf("facts %+v", facts)
			}
			same(t, "memory", read(t, open(t, dir), "memory"), pythonWant)

			memories, info := export(t, dir, "memory")
			alter(t, dir, `DELETE FROM embedding_metadata`)
			restore(t, dir, info, memories)
			same(t, "restored", read(t, open(t, dir), "memory"), pythonWant)
		})
	}
}

// TestPythonEra_FindsARecordBehindThePicklesPosition takes the log entries away
// that the position inside the pickle says are not in the index yet.
func TestPythonEra_FindsARecordBehindThePicklesPosition(t *testing.T) {
	dir := pythonDir(t, "0.4.0.sql", "position_inside.pickle")
	alter(t, dir, `DELETE FROM embeddings_queue WHERE seq_id > 6`)
	report, err := disk.Check(t.Context(), os.DirFS(dir), holdfast.CheckOptions{})
	if err != nil || len(report.Problems) != 1 {
		t.Errorf("%v %+v", err, report.Problems)
	}
}

// TestCheck_FindsAnIDThatIsThereTwice gives two live labels one id: both maps
// agree with each other and with the vectors.
func TestCheck_FindsAnIDThatIsThereTwice(t *testing.T) {
	dir := pythonDir(t, "0.6.3.sql", "position_outside.pickle")
	var b bytes.Buffer
	b.WriteString("\x80\x03}(")
	text := func(s string) { b.WriteString("X" + string([]byte{byte(len(s)), 0, 0, 0}) + s) }
	pairs := []string{"a", "b", "b", "e"} // of the labels 1, 2, 4 and 5
	labels := []byte{1, 2, 4, 5}
	text("total_elements_added")
	b.WriteString("K\x05")
	text("id_to_label")
	b.WriteString("}(")
	for i, id := range pairs {
		text(id)
		b.Write([]byte{'K', labels[i]})
	}
	b.WriteString("u")
	text("label_to_id")
	b.WriteString("}(")
	for i, id := range pairs {
		b.Write([]byte{'K', labels[i]})
		text(id)
	}
	b.WriteString("uu.")
	change(t, filepath.Join(dir, pythonSegment, "index_metadata.pickle"), func([]byte) []byte { return b.Bytes() })
	alter(t, dir, `DELETE FROM embeddings WHERE embedding_id = 'd'`)
	report, err := disk.Check(t.Context(), os.DirFS(dir), holdfast.CheckOptions{})
	if err != nil || len(report.Problems) != 1 || !strings.Contains(report.Problems[0].Message, "more than once") {
		t.Errorf("%v %+v", err, report.Problems)
	}
}
