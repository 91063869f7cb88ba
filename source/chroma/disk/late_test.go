package disk_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// TestRecords_ApplyALogThatTheServerHasNotApplied puts entries into the log of
// a stopped directory, as a server that dies after the first of its two
// transactions leaves them, and compares with what the server makes of them
// when it starts again.
func TestRecords_ApplyALogThatTheServerHasNotApplied(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		dir, want := served(t, v)
		c, err := open(t, dir).Collection("cosine")
		if err != nil {
			t.Fatal(err)
		}
		entry := func(operation int, id string, vector []float32, metadata holdfast.Values) {
			t.Helper()
			text, err := json.Marshal(metadata)
			if err != nil {
				t.Fatal(err)
			}
			alter(t, dir, `INSERT INTO embeddings_queue (operation, topic, id, vector, encoding, metadata) VALUES (?, ?, ?, ?, ?, ?)`,
				operation, "persistent://default/default/"+c.ID, id, floats(vector), map[bool]any{true: "FLOAT32"}[vector != nil], string(text))
		}
		ids := want["cosine"].IDs
		entry(0, "late", vector(700), holdfast.Values{"chroma:document": "สาย", "n": int64(7), "f": 7.0})
		entry(0, ids[0], vector(701), holdfast.Values{"n": int64(-1)})                            // there: ignored
		entry(1, ids[1], vector(702), holdfast.Values{"n": nil, "new": true, "ratio": int64(12)}) // merged
		entry(1, "nobody", vector(703), holdfast.Values{"n": int64(1)})                           // not there: ignored
		entry(2, ids[2], vector(704), holdfast.Values{"chroma:document": "دیر"})
		entry(3, ids[3], nil, holdfast.Values{})
		entry(3, ids[4], nil, holdfast.Values{})
		entry(0, ids[4], vector(705), holdfast.Values{"again": 1.0}) // comes again, at the end
		entry(0, "brief", vector(706), holdfast.Values{})
		entry(3, "brief", nil, holdfast.Values{})

		got := read(t, open(t, dir), "cosine")
		report, err := disk.Check(t.Context(), os.DirFS(dir), holdfast.CheckOptions{})
		if err != nil || report.Problems != nil {
			t.Errorf("%v %+v", err, report.Problems)
		}
		memories, _ := export(t, dir, "cosine")
		var exported content
		if err := json.Unmarshal(memories, &exported); err != nil {
			t.Fatal(err)
		}
		counted, err := open(t, dir).Collection("cosine")
		if err != nil {
			t.Fatal(err)
		}

		s := chromatest.Start(t, v, dir)
		a := apiOf(t, s)
		id := a.describe("cosine").ID
		n := a.count(id) // the first read applies the log
		served := a.get(id)
		same(t, "cosine", got, served)
		same(t, "cosine exported", exported, served)
		if int(counted.Records) != n || len(got.IDs) != n {
			t.Errorf("counted %d, read %d, the server counts %d", counted.Records, len(got.IDs), n)
		}
	})
}
