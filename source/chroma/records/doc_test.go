package records_test

import (
	"bytes"
	"os"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// The document shows what is written, to the byte.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../../docs/chroma-jsonl.md")
	if err != nil {
		t.Fatal(err)
	}
	hours, plan := "Opening hours", "file:///plan.pdf"
	m := &memory{
		list: []disk.Collection{{
			ChromaCollection: holdfast.ChromaCollection{
				ID: "2e21c14c-7b0f-4a46-a47f-63dbd9d4a0a5", Tenant: "default_tenant", Database: "default_database", Name: "notes", Dimension: 3, Space: "cosine",
			},
			Metadata: holdfast.Values{"team": "support"}, ConfigJSON: `{"hnsw":{"space":"cosine"}}`,
		}},
		all: map[string][]disk.Record{"notes": {
			{ID: "doc-1", Document: &hours, Metadata: holdfast.Values{"page": int64(2), "score": 2.0, "tags": []any{"a", "b"}}, Embedding: []float32{0.25, -1, 1e-7}},
			{ID: "doc-2", URI: &plan},
		}},
	}
	files := write(t, m)
	if err := records.WriteServer(&sunkInto{files, "server.json"}, records.Server{API: "v2", Version: "1.0.0", Databases: []records.Database{{Tenant: "default_tenant", Name: "default_database"}}}); err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)<!-- file: (\\S+) -->\n```json\n(.*?)```").FindAllSubmatch(text, -1)
	if len(shown) != len(files) {
		t.Fatalf("%d files are shown, %d are written", len(shown), len(files))
	}
	for _, s := range shown {
		file := files[string(s[1])]
		if file == nil {
			t.Fatalf("%s is not written", s[1])
		}
		if got := regexp.MustCompile(` +\n`).ReplaceAll(file.Data, []byte("\n")); string(got) != string(s[2]) {
			t.Errorf("%s is\n%s", s[1], got)
		}
	}
}

// sunkInto takes the place of a file.
type sunkInto struct {
	files fstest.MapFS
	path  string
}

func (s *sunkInto) Write(b []byte) (int, error) {
	s.files[s.path] = &fstest.MapFile{Data: bytes.Clone(b)}
	return len(b), nil
}
