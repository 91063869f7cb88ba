package server

import (
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

func tempScratch(t *testing.T) *scratch {
	t.Helper()
	s, err := newScratch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func spanOf(t *testing.T, s *scratch, all []entry) span {
	t.Helper()
	out := span{in: s, off: s.size, n: int64(len(all))}
	for _, e := range all {
		if err := s.add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	return out
}

// What was added, changed and removed between two spans is what maps say.
func TestCompare_CountsAsMapsDo(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	s := tempScratch(t)
	for round := range 200 {
		then, now := map[uint64]uint64{}, map[uint64]uint64{}
		for range rng.IntN(60) {
			then[rng.Uint64N(80)] = rng.Uint64N(3)
		}
		for range rng.IntN(60) {
			now[rng.Uint64N(80)] = rng.Uint64N(3)
		}
		var want holdfast.ChromaMoved
		for id, content := range now {
			if before, there := then[id]; !there {
				want.Added++
			} else if before != content {
				want.Changed++
			}
		}
		for id := range then {
			if _, there := now[id]; !there {
				want.Removed++
			}
		}
		all := func(m map[uint64]uint64) (out []entry) {
			for _, id := range slices.Sorted(maps.Keys(m)) {
				out = append(out, entry{id, m[id]})
			}
			return out
		}
		got, err := compare(spanOf(t, s, all(then)), spanOf(t, s, all(now)))
		if err != nil || got != want {
			t.Fatalf("round %d: got %+v %v, want %+v", round, got, err, want)
		}
	}
}

// Of an id that was listed twice the later place counts, also in a list that is looked
// at in several parts.
func TestIDList_KeepsTheLastOfTwins(t *testing.T) {
	l := idList{texts: tempScratch(t), hashes: tempScratch(t)}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 50, bucketSize + 1000} {
		if err := l.begin(); err != nil {
			t.Fatal(err)
		}
		var listed []string
		for i := range n {
			id := fmt.Sprintf("id %d é", i)
			if i > 10 && rng.IntN(n/4) == 0 {
				id = listed[rng.IntN(len(listed))]
			}
			listed = append(listed, id)
			if err := l.add(id, uint64(len(id))<<40|uint64(hashText(id))); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.end(); err != nil {
			t.Fatal(err)
		}
		last := map[string]int{}
		for i, id := range listed {
			last[id] = i
		}
		var want, got []string
		for i, id := range listed {
			if last[id] == i {
				want = append(want, id)
			}
		}
		err := l.each(func(id string) (bool, error) {
			got = append(got, id)
			return true, nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%d ids: got %d of them, want %d: %v", n, len(got), len(want), err)
		}
		var all []entry
		for _, id := range want {
			all = append(all, entry{uint64(len(id))<<40 | uint64(hashText(id)), 0})
		}
		s := spanOf(t, tempScratch(t), all)
		if same, err := s.lists(&l); err != nil || !same {
			t.Errorf("%d ids: the list is not that of its entries: %v", n, err)
		}
		if n > 1 {
			all[0], all[1] = all[1], all[0]
			s = spanOf(t, tempScratch(t), all)
			if same, err := s.lists(&l); err != nil || same {
				t.Errorf("%d ids: another order is taken for the same: %v", n, err)
			}
		}
	}
}

// hashText tells the ids of the test apart.
func hashText(s string) (h uint32) {
	for _, b := range []byte(s) {
		h = h*16777619 ^ uint32(b)
	}
	return h
}

// Whatever differs in a record makes another entry.
func TestHasher_SeesEveryDifference(t *testing.T) {
	text, other := "a", "b"
	h := newHasher(maphash.MakeSeed())
	base := disk.Record{ID: "1", Document: &text, URI: nil, Metadata: holdfast.Values{"n": int64(2)}, Embedding: []float32{1, 2}}
	seen := map[uint64]string{}
	for name, r := range map[string]disk.Record{
		"itself":           base,
		"document":         {ID: "1", Document: &other, Metadata: base.Metadata, Embedding: base.Embedding},
		"no document":      {ID: "1", Metadata: base.Metadata, Embedding: base.Embedding},
		"uri in its place": {ID: "1", URI: &text, Metadata: base.Metadata, Embedding: base.Embedding},
		"2.0":              {ID: "1", Document: &text, Metadata: holdfast.Values{"n": 2.0}, Embedding: base.Embedding},
		"no metadata":      {ID: "1", Document: &text, Embedding: base.Embedding},
		"a bit":            {ID: "1", Document: &text, Metadata: base.Metadata, Embedding: []float32{1, 2.0000002}},
		"no embedding":     {ID: "1", Document: &text, Metadata: base.Metadata},
	} {
		e, err := h.of(r)
		if err != nil {
			t.Fatal(err)
		}
		if twin, taken := seen[e.content]; taken {
			t.Errorf("%s cannot be told from %s", name, twin)
		}
		seen[e.content] = name
	}
}
