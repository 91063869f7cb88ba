package disk_test

import (
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

func TestRecords_AreThoseOfTheServer(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		dir, want := served(t, v)
		d := open(t, dir)
		for name, w := range want {
			same(t, name, read(t, d, name), w)
		}
		facts, err := d.Facts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(facts.Collections) != len(want) {
			t.Fatalf("got %d collections, want %d", len(facts.Collections), len(want))
		}
		for _, c := range facts.Collections {
			if int(c.Records) != len(want[c.Name].IDs) {
				t.Errorf("%s: got %d records, want %d", c.Name, c.Records, len(want[c.Name].IDs))
			}
			space, indexed, dim := strings.TrimSuffix(c.Name, "-settled"), true, dimension
			if c.Name == "queued" || c.Name == "empty" {
				space, indexed = disk.SpaceCosine, false
			}
			if c.Name == "empty" {
				dim = 0
			}
			if c.Space != space || c.Indexed != indexed || c.Dimension != dim {
				t.Errorf("%s: got space %s, indexed %t, dimension %d; want %s, %t, %d", c.Name, c.Space, c.Indexed, c.Dimension, space, indexed, dim)
			}
		}
		release := map[chromatest.Version]holdfast.ChromaSchema{
			chromatest.Old: {EmbeddingsQueue: 2, MetaDB: 5, SysDB: 9, Release: "1.0-1.2"},
			chromatest.New: {EmbeddingsQueue: 2, MetaDB: 6, SysDB: 10, Release: "1.5 or later"},
		}
		if d.Schema() != release[v] {
			t.Errorf("schema %+v, want %+v", d.Schema(), release[v])
		}
		report, err := d.Check(t.Context(), holdfast.CheckOptions{Full: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range report.Problems {
			t.Errorf("a sound directory has a problem: %+v", p)
		}
		if report.Facts.Chroma.QuickCheck != holdfast.CheckOK {
			t.Errorf("quick check: %s", report.Facts.Chroma.QuickCheck)
		}
	})
}
