package records_test

import (
	"bytes"
	"reflect"
	"testing"
	"testing/fstest"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// FuzzLines reads lines that somebody made by hand: whatever is taken for a record is the
// same record by every way of reading, and after it was written and read again.
func FuzzLines(f *testing.F) {
	for _, line := range []string{
		`{"id":"a","document":"x","metadata":{"n":2,"f":2.0,"l":["a",1]},"embedding":[1,2.5e-3]}`, `{"id":"a","embedding":null}   `, `{ "id" : "a" }`, `{"embedding":[],"id":"\u0000\ud800"}`,
		`{"id":"a","ID":"b"}`, `{"id":"a\"b\\","metadata":{"big":9007199254740993,"huge":1e999}}`, `{"id":"a","embedding":"[1]"}`, `{"id":"a","embedding":[1,,2]}`, `{"id":"a","embedding":[NaN]}`,
	} {
		f.Add([]byte(line + "\n"))
		f.Add([]byte(line + "\n" + line + "\n"))
	}
	const path = "t/d/c"
	f.Fuzz(func(t *testing.T, data []byte) {
		files := fstest.MapFS{
			records.ServerFile:            {Data: []byte(`{"format":1,"databases":[{"tenant":"t","name":"d"}]}`)},
			path + records.DescriptionExt: {Data: []byte(`{"tenant":"t","database":"d","name":"c"}`)},
			path + records.RecordsExt:     {Data: data},
		}
		tree, err := records.Open(t.Context(), files)
		if err != nil {
			t.Fatal(err)
		}
		c := tree.Collections()[0]
		if _, err := tree.Check(t.Context(), holdfast.CheckOptions{}); err != nil {
			t.Fatal(err)
		}
		var all []disk.Record
		for r, err := range tree.Records(t.Context(), c, disk.Everything) {
			if err != nil {
				return
			}
			all = append(all, r)
		}
		var out bytes.Buffer
		w := records.NewWriter(&out, 0)
		i := 0
		for line, err := range tree.Lines(t.Context(), c) {
			if err != nil || i == len(all) || line.ID != all[i].ID {
				t.Fatalf("line %d is of %q, %v", i, line.ID, err)
			}
			if err := w.Write(all[i]); err != nil {
				t.Fatalf("%+v cannot be written: %v", all[i], err)
			}
			i++
		}
		found, err := tree.Lookup(t.Context(), c, ids(all))
		if err != nil || len(found) != len(all) {
			t.Fatalf("%d of %d are found, %v", len(found), len(all), err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		files[path+records.RecordsExt].Data = out.Bytes()
		i = 0
		for r, err := range tree.Records(t.Context(), c, disk.Everything) {
			if err != nil || !reflect.DeepEqual(r, all[i]) {
				t.Fatalf("written and read again %+v is %+v, %v", all[i], r, err)
			}
			i++
		}
	})
}

func ids(all []disk.Record) (ids []string) {
	for _, r := range all {
		ids = append(ids, r.ID)
	}
	return ids
}
