package idset_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/idset"
)

// TestSum_IsEqualForEqualSets compares fingerprints with the sets themselves.
func TestSum_IsEqualForEqualSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfDistinct(rapid.StringMatching(`[a-cก-ค]{0,3}`), rapid.ID[string])
		a, b := ids.Draw(t, "a"), ids.Draw(t, "b")
		if rapid.Bool().Draw(t, "same") {
			b = slices.Clone(a)
			slices.Reverse(b)
		}
		var sa, sb idset.Sum
		var ba, bb idset.Buckets
		for _, id := range a {
			sa.Add(idset.Of(id))
			ba.Add(idset.Of(id))
		}
		for _, id := range b {
			sb.Add(idset.Of(id))
			bb.Add(idset.Of(id))
		}
		slices.Sort(a)
		slices.Sort(b)
		want := slices.Equal(a, b)
		if (sa == sb) != want || ba.Equal(&bb) != want {
			t.Fatalf("%q and %q: sums equal %t, buckets equal %t", a, b, sa == sb, ba.Equal(&bb))
		}
		d := idset.Between(&ba, &bb)
		for _, id := range a {
			if !slices.Contains(b, id) && !d.Suspect(idset.Of(id)) {
				t.Fatalf("%q is only in %q, and not suspected", id, a)
			}
		}
	})
}

// TestMap_JoinsLikeAMap holds the compact map to Go's own.
func TestMap_JoinsLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.MapOf(rapid.StringMatching(`[a-f]{1,3}`), rapid.Uint64Range(0, 40)).Draw(t, "labels")
		slots := rapid.MapOf(rapid.Uint64Range(0, 40), rapid.Uint64Range(0, 1<<32-1)).Draw(t, "slots")
		var m idset.Map
		want := map[string]uint64{}
		for id, label := range labels {
			m.Add(idset.Of(id), label)
			if slot, ok := slots[label]; ok {
				want[id] = slot
			}
		}
		err := m.Translate(func(take func(from, to uint64)) error {
			for label, slot := range slots {
				take(label, slot)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		m.Sort()
		if m.Len() != len(want) {
			t.Fatalf("%d entries, want %d", m.Len(), len(want))
		}
		for id := range labels {
			got, ok := m.Get(idset.Of(id))
			slot, there := want[id]
			if ok != there || got != slot {
				t.Fatalf("%q: got %d %t, want %d %t", id, got, ok, slot, there)
			}
		}
	})
}

func TestOfPair_TellsPairsApart(t *testing.T) {
	seen := map[idset.Hash]string{}
	for i := range uint64(50) {
		for j := range 50 {
			id := fmt.Sprint("id", j)
			h := idset.OfPair(id, i)
			if other, twice := seen[h]; twice {
				t.Fatalf("%s and %d collide with %s", id, i, other)
			}
			seen[h] = fmt.Sprint(id, " and ", i)
		}
	}
}
