package chroma_test

import (
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// Records that are looked up by id are those that a reading of all gives, and a
// sample has no more ids than were asked for, each of a record that was there.
func TestDisk_LookupGivesWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			s := newStage(t, v)
			awkward(t, s)
			d, err := disk.OpenUncounted(t.Context(), os.DirFS(s.dir))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for _, c := range d.Collections() {
				var all []disk.Record
				var ids []string
				for r, err := range d.Records(t.Context(), c, disk.Everything) {
					if err != nil {
						t.Fatal(err)
					}
					all, ids = append(all, r), append(ids, r.ID)
				}
				found, err := d.Lookup(t.Context(), c, append(ids, "nobody"))
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(found, all) {
					t.Errorf("collection %s/%s: %d records looked up are not the %d that are there", c.Database, c.Name, len(found), len(all))
				}
				for most := range 9 {
					sample, err := d.SampleIDs(t.Context(), c, most)
					if err != nil {
						t.Fatal(err)
					}
					there := slices.DeleteFunc(slices.Clone(sample), func(id string) bool { return !slices.Contains(ids, id) })
					if len(sample) > most || len(there) == 0 && most > 4 && len(ids) > 0 || len(slices.Compact(slices.Sorted(slices.Values(sample)))) != len(sample) {
						t.Errorf("collection %s/%s: of at most %d of %d records the sample is %q", c.Database, c.Name, most, len(ids), sample)
					}
				}
			}
		})
	}
}
